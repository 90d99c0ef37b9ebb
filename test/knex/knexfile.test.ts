import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { ALL_STEPS } from '../../migrations/index.js';
import { packageRoot } from '../../src/config/package-root.js';
import { withMove, type Move } from '../../src/cases/move.js';
import { NEVER } from '../../src/timing.js';
import { useTestDatabase } from '../support/database.js';
import { knexCli } from './knex-cli.js';

const DATA = `
  INSERT INTO accounts (id, kind, name) VALUES (1, 'organization', 'Acme');
  INSERT INTO apis (id, slug, name, kind) VALUES (1, 'invoices', 'Invoices', 'store');
  INSERT INTO api_keys (id, account_id, api_id, name, token) VALUES (7, 1, 1, 'invoice-api-key', 'secret-token-7')`;

/** All that a user sees of keylift in a database, bookkeeping included, so that "nothing changed" can be compared. */
const EVERYTHING = `
  SELECT n.nspname || '.' || c.relname || ' ' || c.relkind::text AS thing FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname IN ('public', 'keylift')
  UNION ALL SELECT 'function ' || p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = to_regnamespace('keylift')
  UNION ALL SELECT 'trigger ' || tgname::text FROM pg_trigger WHERE NOT tgisinternal
  ORDER BY 1`;

describe('knexfile', () => {
  const scratch = useTestDatabase({ each: true });
  const knex = (args: string, env: Record<string, string> = {}) =>
    knexCli(args.split(' '), { DATABASE_URL: scratch().url, ...env });
  const things = async (): Promise<string[]> =>
    (await scratch().query<{ thing: string }>(EVERYTHING)).map(({ thing }) => thing);
  const withData = <T>(work: (move: Move) => Promise<T>): Promise<T> =>
    scratch()
      .query(DATA)
      .then(() => withMove({ url: scratch().url, stop: NEVER }, work));

  /** Runs a command that must refuse, and that nothing has changed after it. */
  async function expectRefusal(args: string, words: RegExp, env: Record<string, string> = {}): Promise<void> {
    const steps = () => scratch().query(`SELECT name, batch FROM keylift.knex_migrations ORDER BY name`);
    const before = [await things(), await steps(), await scratch().query('TABLE public.account_api_keys')];
    const { exitCode, stdout, stderr } = await knex(args, env);
    expect(exitCode, stdout).to.equal(1);
    expect(stderr)
      .to.match(words)
      .and.to.match(/nothing was changed/);
    expect(stderr).not.to.match(/\n\s+at |secret-token|postgres:\/\//);
    expect([await things(), await steps(), await scratch().query('TABLE public.account_api_keys')]).to.deep.equal(
      before,
    );
    expect(await scratch().query('SELECT is_locked FROM keylift.knex_migrations_lock')).to.deep.equal([
      { is_locked: 0 },
    ]);
  }

  it('migrate:list names every step, without extension, on a database keylift never saw', async () => {
    const { exitCode, stdout } = await knex('migrate:list');
    expect(exitCode).to.equal(0);
    expect(stdout).to.include(`Found ${String(ALL_STEPS.length)} Pending Migration file/files.`);
    for (const { name } of ALL_STEPS) expect(stdout).to.match(new RegExp(`^${name} *$`, 'm'));
    const outside = await scratch().query(
      `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname LIKE '%knex%'`,
    );
    expect(outside).to.deep.equal([]);
  });

  it('migrate:latest and migrate:up refuse, and keylift migrate works after them', async () => {
    await knex('migrate:list');
    const before = await things();
    for (const command of ['migrate:latest', 'migrate:up', 'migrate:up 02_account_keys']) {
      const { exitCode, stderr } = await knex(command);
      expect([exitCode, stderr]).to.deep.equal(
        [
          1,
          [
            'keylift: the steps belong to stages with ' +
              'work between them; knex alone cannot run them, and nothing was changed',
            '  Run keylift migrate: it runs each step in its stage.',
            '',
          ].join('\n'),
        ],
        command,
      );
      expect(await things(), command).to.deep.equal(before);
    }
    expect(await withData((move) => move.migrate())).to.include({ stage: 'switch', moved: 1 });
    const { stdout } = await knex('migrate:list');
    expect(stdout).to.match(/Found 12 Completed Migration file/);
  });

  it('rollback --all refuses while a migration stands, whatever stage it has reached', async () => {
    await withData((move) => move.migrate());
    await expectRefusal(
      'migrate:rollback --all',
      /a migration stands \(active, last stage completed: switch\)[\s\S]*keylift rollback first/,
    );
    await expectRefusal('migrate:rollback', /a migration stands/);
    await expectRefusal('migrate:down', /a migration stands/);
  });

  it('rollback --all refuses while keys born in Settings exist, and names them', async () => {
    await withData(async (move) => {
      await move.migrate();
      await scratch().query(
        `INSERT INTO account_api_keys (account_id, name, token) VALUES (1, 'born', 'secret-token-born')`,
      );
      await move.rollBack();
    });
    await expectRefusal(
      'migrate:rollback --all',
      /1 key was born in Settings and has no other home than "?public"?\."?account_api_keys"?: \d+/,
    );
    await scratch().query('DELETE FROM account_api_keys');
    expect((await knex('migrate:rollback --all')).exitCode).to.equal(0);
  });

  it('rollback --all refuses while another keylift is at work, and with another configuration', async () => {
    await withData(async (move) => {
      await move.migrate();
      await move.rollBack();
    });
    await scratch().query(
      `UPDATE keylift.control SET owner = gen_random_uuid(), owned_until = now() + interval '1 minute'`,
    );
    await expectRefusal('migrate:rollback --all', /a keylift is at work here/);
    await scratch().query('UPDATE keylift.control SET owner = NULL, owned_until = NULL');
    const folder = await mkdtemp(path.join(tmpdir(), 'keylift-knex-'));
    const config = path.join(folder, 'other.json');
    await writeFile(config, JSON.stringify({ legacy: { keys: { name: null } } }));
    await expectRefusal('migrate:rollback --all', /configuration is not the one/, { KEYLIFT_CONFIG: config });
    await rm(folder, { recursive: true });
  });

  it('after keylift rollback, rollback --all takes everything away, and migrate starts afresh', async () => {
    const before = await things();
    const answers = await withData(async (move) => {
      await move.migrate();
      await move.rollBack();
      return scratch().query(`SELECT * FROM keylift.authorize('secret-token-7', 1)`);
    });
    expect(answers).to.have.length(1);
    const { exitCode, stdout } = await knex('migrate:rollback --all');
    expect([exitCode, /rolled back: 3 migrations/i.test(stdout)], stdout).to.deep.equal([0, true]);
    const left = (await things()).filter((thing) => !before.includes(thing));
    expect(left.filter((thing) => !thing.startsWith('keylift.knex_migrations'))).to.deep.equal([]);
    expect(await scratch().query('SELECT count(*)::int AS keys FROM api_keys')).to.deep.equal([{ keys: 1 }]);
    expect((await knex('migrate:rollback --all')).stdout).to.include('Already at the base migration');
    const again = await withMove({ url: scratch().url, stop: NEVER }, (move) => move.migrate());
    expect(again).to.include({ stage: 'switch', moved: 1 });
  });

  it('says what is missing: a database, a good configuration, the build', async () => {
    const none = await knexCli(['migrate:list'], {});
    expect([none.exitCode, none.stderr]).to.match(/no database is named/);
    const faulty = await knex('migrate:list', { KEYLIFT_CONFIG: '/nowhere/keylift.json' });
    expect([faulty.exitCode, faulty.stderr]).to.match(/keylift: .*\/nowhere\/keylift.json/);
    const gone = await knex('migrate:list', { DATABASE_URL: 'postgres://x:secret-token@127.0.0.1:1/none' });
    expect([gone.exitCode, gone.stderr]).to.match(/keylift: cannot reach the database at 127.0.0.1:1/);
    expect(none.stderr + faulty.stderr + gone.stderr).not.to.match(/\n\s+at |secret-token/);
    const folder = await mkdtemp(path.join(tmpdir(), 'keylift-knex-'));
    await cp(path.join(packageRoot(), 'knexfile.js'), path.join(folder, 'knexfile.js'));
    await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
    await symlink(path.join(packageRoot(), 'node_modules'), path.join(folder, 'node_modules'));
    const unbuilt = await knexCli(['migrate:list'], { DATABASE_URL: scratch().url }, folder);
    expect([unbuilt.exitCode, unbuilt.stderr]).to.match(/dist\/ is missing\n {2}Run npm run build first/);
    await rm(folder, { recursive: true });
  });
});
