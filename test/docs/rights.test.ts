import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { useTestDatabase } from '../support/database.js';
import { PUBLIC, RIGHTS } from '../support/granted.js';
import { rolesOf, type RoleName } from './roles.js';

/**
 * Functions of keylift whose names are neither resolved when they are made nor sought in pg_catalog alone. A function that
 * needs its caller's path reads it, with its schema written out, and sets its own in its first statement.
 */
const UNPINNED = `
  select oid::regprocedure::text as function, proconfig from pg_proc where pronamespace = to_regnamespace('keylift')
    and prosqlbody is null
    and not coalesce(proconfig, '{}') @> '{"search_path=pg_catalog, pg_temp"}'
    and not split_part(prosrc, 'BEGIN', 2) ~ ('^\\s+(--[^\\n]*\\s+)*'
      'path := pg_catalog.set_config\\(''search_path'', ''pg_catalog, pg_temp'', true\\);')`;

const EVERY_STATION = [
  'migrate --yes --until expand',
  'migrate --yes --until backfill',
  'migrate --yes --until harden',
  'migrate --yes',
  'finalize --yes',
  'rollback --yes',
];

/** The station after which the platform gets its rights on the new table. */
const AFTER_HARDEN = 'migrate --yes --until harden';

describe('rights', () => {
  const database = useTestDatabase({ each: true });
  const roles = rolesOf(database);

  beforeEach(async () => {
    await database().query(`
      revoke create on schema public from public; -- as PostgreSQL has it since 15
      create table public.invoices (id bigint);
      insert into public.accounts (id, kind, name) values (1, 'user', 'Ada');
      insert into public.apis (id, slug, name, kind) values (1, 'invoices', 'Invoices', 'store'), (2, 'passport',
        'Passport', 'store');
      insert into public.api_keys (account_id, api_id, name, token) values (1, 1, 'one', 'token-1'), (1, 2, 'two',
        'token-2')`);
    await roles.make('planner');
    await roles.make('operator');
  });

  const asOperator = async (line: string): Promise<void> => {
    const { exitCode, stderr } = await keylift(line, { env: { DATABASE_URL: roles.url('operator') } });
    expect([line, exitCode], stderr).to.deep.equal([line, 0]);
  };
  const rights = async (role: RoleName): Promise<string[]> =>
    (await database().query<{ may: string }>(RIGHTS, [decodeURIComponent(new URL(roles.url(role)).username)])).map(
      ({ may }) => may,
    );
  const refusal = async (role: RoleName, sql: string): Promise<string> =>
    roles.query(role, sql).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );

  const PLANNER = [
    'SELECT on public.accounts',
    'SELECT on public.api_keys',
    'SELECT on public.apis',
    'USAGE on schema public',
  ];
  const GATEWAY = [
    'EXECUTE on function keylift.authorize',
    'SELECT on keylift.per_api_keys',
    'USAGE on schema keylift',
    'USAGE on schema public',
  ];
  const LEGACY = ['SELECT, INSERT, UPDATE, DELETE on public.api_keys', 'USAGE on schema public'];
  const SETTINGS =
    'SELECT (id, account_id, name, token, created_at, last_used_at, revoked_at, expires_at), ' +
    'INSERT (account_id, name, token), UPDATE (name, token, last_used_at, revoked_at, expires_at), DELETE on public.account_api_keys';

  it('planner, gateway and platform have what the runbook grants, and nothing else at any station', async () => {
    await roles.make('platform');
    for (const line of EVERY_STATION) {
      await asOperator(line);
      if (line === EVERY_STATION[0]) await roles.make('gateway');
      if (line === AFTER_HARDEN) {
        expect(await rights('platform'), line).to.deep.equal(LEGACY);
        await roles.grantTarget();
      }
      expect(await rights('planner'), line).to.deep.equal(PLANNER);
      expect(await rights('gateway'), line).to.deep.equal(GATEWAY);
      const granted = EVERY_STATION.indexOf(line) >= EVERY_STATION.indexOf(AFTER_HARDEN);
      expect(await rights('platform'), line).to.deep.equal(granted ? [SETTINGS, ...LEGACY] : LEGACY);
    }
  });

  it("the operator is no superuser, and has rights on nothing that is not keylift's or the key table's", async () => {
    await asOperator('migrate --yes');
    const name = decodeURIComponent(new URL(roles.url('operator')).username);
    expect(
      await database().query(
        'select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls from pg_roles where rolname = $1',
        [name],
      ),
    ).to.deep.equal([
      { rolsuper: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false, rolbypassrls: false },
    ]);
    const beyond = (await rights('operator')).filter((may) => !/keylift|api_keys/.test(may));
    expect(beyond).to.deep.equal([
      'SELECT, REFERENCES on public.accounts',
      'SELECT on public.apis',
      'USAGE, CREATE on schema public',
    ]);
    expect(await refusal('operator', 'select from public.invoices')).to.equal('42501');
  });

  it('nothing is granted to PUBLIC and every function pins where its names are sought, at every station', async () => {
    for (const line of EVERY_STATION) {
      await asOperator(line);
      expect(await database().query(PUBLIC), line).to.deep.equal([]);
      expect(await database().query(UNPINNED), line).to.deep.equal([]);
      expect(
        await database().query(`select from pg_proc where pronamespace = 'keylift'::regnamespace`),
      ).to.not.have.length(0);
    }
  });

  it('the rights of the platform are enough for Settings, and for nothing that is not theirs', async () => {
    await asOperator('migrate --yes');
    await roles.make('platform');
    await roles.grantTarget();
    const settings = 'public.account_api_keys';
    const [made] = await roles.query(
      'platform',
      `insert into ${settings} (account_id, name, token) values (1, 'made', 'token-3') returning id, created_at`,
    );
    expect(made).to.have.keys('id', 'created_at');
    await roles.query(
      'platform',
      `update ${settings} set name = 'renamed', last_used_at = now() where token = 'token-1';
       update ${settings} set revoked_at = now() where token = 'token-3';
       delete from ${settings} where token = 'token-2'`,
    );
    expect(await database().query('select name, token from public.api_keys')).to.deep.equal([
      { name: 'renamed', token: 'token-1' },
    ]);
    for (const sql of [
      `update ${settings} set account_id = 1`,
      `update ${settings} set scope = 'store_apis'`,
      `update ${settings} set origin_api_id = null`,
      `insert into ${settings} (account_id, name, token, origin_api_id) values (1, 'forged', 'token-4', 1)`,
      `truncate ${settings}`,
      'select from keylift.outcomes',
      `select keylift.authorize('token-1', 1)`,
    ])
      expect(await refusal('platform', sql), sql).to.equal('42501');
  });

  it('a gateway calls nothing but authorize, and writes nothing', async () => {
    await asOperator('migrate --yes');
    await roles.make('gateway');
    for (const sql of [
      `select keylift.settle('{1}', '{}')`,
      `select keylift.settle_few('{1}', '{}', true)`,
      `select keylift.settle_ids('{1}')`,
      'select keylift.apply_change_log(1)',
      'select keylift.mirror_number()',
      `insert into public.account_api_keys (account_id, name, token) values (1, 'mine', 'mine')`,
      "update keylift.switch_rule set mode = 'all'",
      'select from keylift.outcomes',
      'create table keylift.mine (id int)',
      'create table public.mine (id int)',
    ])
      expect(await refusal('gateway', sql), sql).to.equal('42501');
  });

  it('a planner changes nothing and calls nothing', async () => {
    await asOperator('migrate --yes');
    for (const sql of [
      `select keylift.authorize('token-1', 1)`,
      'select from keylift.per_api_keys',
      'select from keylift.runs',
      'select from public.account_api_keys',
      'select from public.invoices',
      `update public.api_keys set revoked_at = now()`,
      'create table public.mine (id int)',
      'create schema mine',
    ])
      expect(await refusal('planner', sql), sql).to.equal('42501');
  });

  it("whoever may make functions in public, or temporary things, gets none of them called with the operator's rights", async () => {
    // Better fits than PostgreSQL's own, for arguments as keylift's functions have them, and tables of the same names.
    const trap = (name: string, takes: string, gives: string, answer: string): string => `
      create function public.${name}(${takes}) returns ${gives} language plpgsql as $$ begin insert into public.caught
        values (current_user, '${name}'); return ${answer}; end $$`;
    await database().query(`
      create table public.caught (who text, what text); grant insert, select on public.caught to public;
      ${trap('cardinality', 'bigint[]', 'integer', '0')}; ${trap('cardinality', 'text[]', 'integer', '0')};
      ${trap('length', 'varchar', 'integer', '1')};
      ${trap('array_length', 'bigint[], integer', 'integer', '0')};
      ${trap('to_jsonb', 'public.api_keys', 'jsonb', "'{}'")}`);
    for (const line of EVERY_STATION.slice(0, 4)) await asOperator(line);
    await roles.make('gateway');
    await roles.make('platform');
    const shadows = `create temporary table api_keys (id int); create temporary table apis (id int);
      create temporary table account_api_keys (id int);
      create function pg_temp.cardinality(bigint[]) returns integer language sql as 'select 0';`;
    await roles.query(
      'platform',
      `${shadows} update public.api_keys set name = 'renamed' where token = 'token-1';
      insert into public.api_keys (account_id, api_id, token) values (1, 2, 'token-3'), (1, 1, 'token-3');
      delete from public.api_keys where token = 'token-2'`,
    );
    expect(await roles.query('gateway', `${shadows} select source from keylift.authorize('token-1', 2)`)).to.deep.equal(
      [{ source: 'account' }],
    );
    expect(await database().query('select token, name from public.account_api_keys order by token')).to.deep.equal([
      { token: 'token-1', name: 'renamed' },
      { token: 'token-3', name: null },
    ]);
    expect(await database().query('select who, what from public.caught')).to.deep.equal([]);
  });
});
