import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { rolesOf } from '../docs/roles.js';
import { useTestDatabase } from '../support/database.js';

const STAGES = ['expand', 'backfill', 'harden', 'verify', 'switch', 'rollback', 'finalize', 'uninstall'];

describe('plan --show-sql', () => {
  const database = useTestDatabase({ each: true });
  const roles = rolesOf(database);

  beforeEach(async () => {
    await database().query(`
      insert into public.accounts (id, kind, name) values (1, 'user', 'Ada');
      insert into public.apis (id, slug, name, kind) values (1, 'invoices', 'Invoices', 'store')`);
    await roles.make('planner');
  });

  /** The planner has SELECT on the three tables, and no other right. */
  const plan = async (line: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await keylift(line, { env: { DATABASE_URL: roles.url('planner') } });
    expect(exitCode, stderr).to.equal(0);
    return stdout;
  };

  it('prints everything by stage before anything is installed, to a role that may only read', async () => {
    const text = await plan('plan --show-sql');
    expect([...text.matchAll(/^-- Stage (\w+)\. /gm)].map(([, stage]) => stage)).to.deep.equal(STAGES);
    for (const object of ['TABLE keylift.outcomes', 'FUNCTION keylift.settle(', 'VIEW keylift.per_api_keys', 'TRIGGER'])
      expect(text).to.match(new RegExp(`^CREATE (OR REPLACE )?${object.replace('(', '\\(')}`, 'm'));
    expect(await database().query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  });

  it('gives the same statements, in the same order, as JSON', async () => {
    const { sql } = JSON.parse(await plan('plan --show-sql --json')) as { sql: { title: string; text: string }[] };
    expect([...new Set(sql.map(({ title }) => title.split(':')[0]))]).to.deep.equal(STAGES);
    const text = await plan('plan --show-sql');
    let from = 0;
    for (const { title, text: statement } of sql) {
      const at = text.indexOf(statement.replace(/;$/, ''), from);
      expect(at, title).to.be.greaterThan(from);
      from = at;
    }
  });
});
