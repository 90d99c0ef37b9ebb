import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { rolesOf } from '../docs/roles.js';
import { useTestDatabase } from '../support/database.js';
import { PUBLIC, RIGHTS } from '../support/granted.js';

/** Every stage, both ways back, and the end. */
const STATIONS = [
  'migrate --yes --until expand',
  'migrate --yes --until backfill',
  'migrate --yes --until harden',
  'migrate --yes --until verify',
  'switch --all --yes',
  'rollback --yes',
  'migrate --yes',
  'finalize --yes',
  'rollback --yes',
  'migrate --yes',
  'finalize --yes',
  'finalize --purge --yes',
];

/** Tables of keylift that hold tokens, by their columns: a token, or a whole row of the legacy table. */
const WITH_TOKENS = `
  select c.oid::regclass::text as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind in ('r', 'p') and a.attname in ('token', 'source')
    and (c.relnamespace = 'keylift'::regnamespace or c.oid = 'public.account_api_keys'::regclass)
  order by 1`;

/** The role of a web framework: it may use whatever is created, and its policy shows it the keys of one account. */
describe('a web role that sees no key', () => {
  const database = useTestDatabase({ each: true });
  const roles = rolesOf(database);
  const own = (url: string): string => decodeURIComponent(new URL(url).username);
  const operator = (): string => own(roles.url('operator'));
  const web = (): string => own(roles.url('platform'));

  beforeEach(async () => {
    await database().query(`
      revoke create on schema public from public; -- as PostgreSQL has it since 15
      insert into public.accounts (id, kind, name) values (1, 'user', 'Ada');
      insert into public.apis (id, slug, name, kind) values
        (1, 'invoices', 'Invoices', 'store'), (2, 'passport', 'Passport', 'store'), (3, 'own', 'Own', 'custom');
      insert into public.api_keys (account_id, api_id, name, token, created_at) values
        (1, 1, 'one', 'token-1', '2020-01-01'), (1, 2, 'two', 'token-2', '2020-01-02'),
        (1, 2, 'again', 'token-1', '2020-01-03'), (1, 3, 'own', 'token-3', '2020-01-04')`);
    await roles.make('operator');
  });

  const station = async (line: string): Promise<void> => {
    const { exitCode, stderr } = await keylift(line, { env: { DATABASE_URL: roles.url('operator') } });
    expect([line, exitCode], stderr).to.deep.equal([line, 0]);
  };
  /** All rights, without those on the new table that the role has on the legacy table, too. */
  const rights = async (): Promise<string[]> => {
    const all = (await database().query<{ may: string }>(RIGHTS, [web()])).map(({ may }) => may);
    const privileges = (may: string): string[] =>
      may
        .split(' on ')[0]!
        .split(', ')
        .map((one) => one.split(' ')[0]!);
    const original = all.find((may) => may.endsWith(' on public.api_keys'));
    return all.filter(
      (may) =>
        !may.endsWith(' on public.account_api_keys') ||
        !privileges(may).every((one) => original !== undefined && privileges(original).includes(one)),
    );
  };
  const grantDefaults = async (where: string, kinds: readonly string[]): Promise<void> => {
    for (const kind of kinds)
      for (const grantee of [web(), 'public'])
        await database().query(
          `alter default privileges for role ${operator()} ${where} grant all on ${kind} to ${grantee}`,
        );
  };
  const KINDS = ['tables', 'sequences', 'functions', 'types'];

  it('gets no right by default privileges of the operator, at any station', async () => {
    await grantDefaults('', [...KINDS, 'schemas']);
    await grantDefaults('in schema public', KINDS);
    const before = await rights();
    for (const line of STATIONS) {
      await station(line);
      expect(await rights(), line).to.deep.equal(before);
      expect(await database().query(PUBLIC), line).to.deep.equal([]);
    }
  });

  it('gets no right by default privileges in a schema keylift that an administrator has created', async () => {
    await database().query(
      `create schema keylift authorization ${operator()}; grant usage on schema keylift to ${web()}`,
    );
    await grantDefaults('in schema keylift', KINDS);
    await grantDefaults('in schema public', KINDS);
    const before = await rights();
    for (const line of STATIONS) {
      await station(line);
      expect(await rights(), line).to.deep.equal(before);
    }
  });

  it('gets no right by an event trigger that grants each new table', async () => {
    await database().query(`
      create function public.grant_new() returns event_trigger language plpgsql as $$
      declare made record;
      begin
        for made in select * from pg_event_trigger_ddl_commands() where object_type = 'table' and schema_name in ('keylift', 'public') loop
          execute format('grant select on %s to ${web()}; grant update (%I) on %s to ${web()}', made.object_identity,
            (select attname from pg_attribute where attrelid = made.objid and attnum = 1), made.object_identity);
        end loop;
      end $$;
      create event trigger keylift_test_grants on ddl_command_end when tag in ('CREATE TABLE', 'CREATE TABLE AS')
        execute function public.grant_new()`);
    const before = await rights();
    for (const line of STATIONS) {
      await station(line);
      expect(await rights(), line).to.deep.equal(before);
    }
  });

  it('keeps what the operator grants it after creation', async () => {
    await grantDefaults('', KINDS);
    const before = await rights();
    await station(STATIONS[0]!);
    const objects = `keylift.runs, keylift.per_api_keys, public.account_api_keys`;
    await roles.query(
      'operator',
      `grant select on ${objects} to ${web()}; grant execute on function keylift.authorize(text, bigint), keylift.draw_key_id() to ${web()}`,
    );
    const granted = await rights();
    expect(granted).to.have.length(before.length + 4);
    for (const line of STATIONS.slice(1)) {
      await station(line);
      expect(await rights(), line).to.deep.equal(granted);
    }
  });

  for (const force of [false, true]) {
    it(`sees no row under row-level security${force ? ' with FORCE' : ''}, whatever rights it gets`, async () => {
      await database().query(`
        alter table public.api_keys enable row level security;
        create policy own_keys on public.api_keys using (account_id::text = current_setting('app.account', true));
        ${force ? `alter table public.api_keys force row level security; alter role ${operator()} bypassrls` : ''}`);
      for (const line of STATIONS) {
        await station(line);
        const tables = await database().query<{ name: string; enabled: boolean; forced: boolean }>(WITH_TOKENS);
        expect(tables.map(({ name }) => name)).to.include.members(['keylift.outcomes', 'account_api_keys']);
        for (const { name, enabled, forced } of tables) {
          expect({ name, enabled, forced }, line).to.deep.equal({ name, enabled: true, forced: force });
          expect(await touched(name), `${line}: ${name}`).to.deep.equal([{ seen: '0', changed: '0', deleted: '0' }]);
        }
        expect(await opens('token-1', 1), line).to.equal(true);
        expect(await opens('token-3', 3), line).to.equal(true);
        expect(await opens('token-3', 1), line).to.equal(false);
      }
    });
  }

  /** As the web role, with every right on the table, in a transaction that is rolled back. */
  const touched = async (table: string): Promise<unknown[]> => {
    const client = await database().connect();
    await client.query('begin');
    const column = ['keylift.outcomes', 'keylift.left_keys'].includes(table) ? 'source' : 'token';
    await client.query(`
      grant usage on schema keylift to ${web()}; grant all on ${table} to ${web()}; set local role ${web()}`);
    const { rows } = await client.query<{ seen: string; changed: string; deleted: string }>(`
      with changed as (update ${table} set ${column} = ${column} returning 1)
      select (select count(*) from ${table}) as seen, (select count(*) from changed) as changed, '0' as deleted`);
    const { rowCount } = await client.query(`delete from ${table}`);
    await client.query('rollback');
    return rows.map((row) => ({ ...row, deleted: String(rowCount) }));
  };

  const opens = async (token: string, api: number): Promise<boolean> => {
    const asked = await roles.query('operator', `select from keylift.authorize('${token}', ${String(api)})`);
    const viewed = await roles.query(
      'operator',
      `select from keylift.per_api_keys where token = '${token}' and api_id = ${String(api)}`,
    );
    expect(asked.length > 0, `${token} in the view`).to.equal(viewed.length > 0);
    return asked.length > 0;
  };

  it('leaves Settings to the policies that the operator creates', async () => {
    await database().query(`
      alter table public.api_keys enable row level security;
      create policy platform on public.api_keys to ${web()} using (true)`);
    await station('migrate --yes');
    await roles.grantTarget();
    const rename = `update public.account_api_keys set name = 'renamed' where token = 'token-2' returning id::text`;
    expect(await roles.query('platform', rename)).to.deep.equal([]);
    await roles.query(
      'operator',
      `create policy settings on public.account_api_keys to ${web()} using (true) with check (true)`,
    );
    expect(await roles.query('platform', rename)).to.have.length(1);
    await roles.query(
      'platform',
      `insert into public.account_api_keys (account_id, name, token) values (1, 'made', 'token-4')`,
    );
    expect(await roles.query('platform', `select name from public.api_keys where token = 'token-2'`)).to.deep.equal([
      { name: 'renamed' },
    ]);
    expect(await opens('token-4', 2)).to.equal(true);
    await station('verify');
  });
});
