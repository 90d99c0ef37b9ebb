import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ALL_STEPS } from '../../migrations/index.js';
import { packageRoot } from '../../src/config/package-root.js';
import { migrate, rollback } from '../../src/index.js';
import { useTestDatabase } from '../support/database.js';
import { knexCli, type KnexOutcome } from './knex-cli.js';

const FILES = {
  'package.json': '{"type":"module"}',
  'knexfile.js': `
    import { knexConfiguration } from 'keylift/knex';
    export default {
      production: { client: 'pg', connection: process.env.DATABASE_URL, migrations: { directory: './migrations' } },
      keylift: knexConfiguration({ configuration: {} }),
      broken: knexConfiguration({ configuration: './nowhere.json' }),
      fromMigrations: { client: 'pg', connection: process.env.DATABASE_URL, migrations: { directory: './stages' } },
    };`,
  'migrations/001_orders.js': `
    export const up = (knex) => knex.schema.createTable('orders', (table) => table.increments());
    export const down = (knex) => knex.schema.dropTable('orders');`,
  'stages/001_expand.js': `
    import { migrate, rollback } from 'keylift';
    export const config = { transaction: false };
    export const up = () => migrate({ configuration: {}, until: 'expand' });
    export const down = () => rollback({ configuration: {} });`,
};

describe('a project with a knexfile of its own', () => {
  const scratch = useTestDatabase({ each: true });
  let project: string;
  before(async () => {
    project = await mkdtemp(path.join(tmpdir(), 'keylift-team-'));
    for (const folder of ['node_modules', 'migrations', 'stages']) await mkdir(path.join(project, folder));
    for (const [name, text] of Object.entries(FILES)) await writeFile(path.join(project, name), text);
    await symlink(packageRoot(), path.join(project, 'node_modules/keylift'));
    for (const name of ['knex', 'pg'])
      await symlink(path.join(packageRoot(), 'node_modules', name), path.join(project, 'node_modules', name));
  });
  after(() => rm(project, { recursive: true }));

  const knex = (args: string, env?: Record<string, string>): Promise<KnexOutcome> =>
    knexCli(args.split(' '), env ?? { DATABASE_URL: scratch().url }, project);
  const relation = async (name: string): Promise<boolean> =>
    (await scratch().query<{ there: boolean }>('SELECT to_regclass($1) IS NOT NULL AS there', [name]))[0]!.there;
  const common = () => ({ configuration: {}, connection: scratch().url });

  it('lists the steps, apart from the migrations of the project', async () => {
    expect((await knex('migrate:latest --env production')).exitCode).to.equal(0);
    const pending = await knex('migrate:list --env keylift');
    expect([pending.exitCode, pending.stdout]).to.match(new RegExp(`Found ${String(ALL_STEPS.length)} Pending`));
    await migrate({ ...common(), until: 'verify' });
    expect((await knex('migrate:list --env keylift')).stdout).to.match(/Found 12 Completed Migration file/);
    const own = await knex('migrate:list --env production');
    expect(own.stdout)
      .to.match(/Found 1 Completed/)
      .and.not.include('01_ledger');
  });

  it('keeps the commands of one environment away from the tables of the other', async () => {
    await knex('migrate:latest --env production');
    await migrate({ ...common(), until: 'verify' });
    const refused = await knex('migrate:rollback --all --env keylift');
    expect([refused.exitCode, refused.stderr]).to.match(/^1,keylift: .*nothing was changed/);
    expect(await relation('public.orders')).to.equal(true);
    expect((await knex('migrate:rollback --all --env production')).exitCode).to.equal(0);
    expect([await relation('public.orders'), await relation('keylift.migration')]).to.deep.equal([false, true]);
    await rollback(common());
    expect((await knex('migrate:latest --env keylift')).stderr).to.match(/Run keylift migrate/);
  });

  it('reads nothing for the environments that are not used', async () => {
    const answer = await knex('migrate:currentVersion --env keylift', {});
    expect([answer.exitCode, answer.stderr]).to.match(/no database is named\n {2}Pass connection/);
    expect((await knex('migrate:list --env broken')).exitCode).to.equal(0);
  });

  it('runs a stage at its place among the migrations', async () => {
    const state = () => scratch().query('SELECT state, stage FROM keylift.migration');
    const up = await knex('migrate:latest --env fromMigrations');
    expect([up.exitCode, await state()], up.stderr).to.deep.equal([0, [{ state: 'active', stage: 'expand' }]]);
    expect(await migrate(common())).to.include({ stage: 'switch' });
    const down = await knex('migrate:rollback --env fromMigrations');
    expect([down.exitCode, await state()], down.stderr).to.deep.equal([0, [{ state: 'rolled_back', stage: null }]]);
  });
});
