import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { openDatabase } from '../../src/database/connect.js';
import { findingsOf } from '../../src/surroundings/findings.js';
import { readSurroundings, type FrozenSurroundings } from '../../src/surroundings/read.js';
import { createTestDatabase, serverMajor, type TestDatabase } from '../support/database.js';
import { createReader, type Reader } from '../support/reader.js';

/** One object at least of every kind that can meet the tables. */
const NEIGHBOURS = `
  create schema "Other Shop"; create table "Other Shop"."Usage" ("Key" bigint not null, account_id bigint,
    constraint "to Keys" foreign key ("Key", account_id) references public.api_keys (id, account_id) match full
      on update cascade on delete set null deferrable initially deferred);
  create table public.calls (key_id bigint references public.api_keys on delete cascade);
  create table public.invoices (account_id bigint references public.accounts);
  alter table public.api_keys add column parent_id bigint references public.api_keys,
    add constraint of_account foreign key (account_id) references public.accounts on update cascade not valid;
  alter table public.calls disable trigger all;
  create function public.audit() returns trigger language plpgsql as 'begin return null; end';
  create function public.stamp() returns trigger language plpgsql security definer set search_path = pg_catalog, public as 'begin return new; end';
  create trigger "Audit All" after insert or update or delete on public.api_keys for each row execute function public.audit();
  create trigger stamp before update of name, revoked_at on public.api_keys for each row when (old.name is distinct from new.name) execute function public.stamp();
  create trigger emptied before truncate on public.apis for each statement execute function public.audit();
  create constraint trigger later after insert on public.accounts deferrable initially deferred for each row execute function public.audit();
  alter table public.api_keys enable always trigger stamp;
  alter table public.apis disable trigger emptied;
  create rule log as on update to public.accounts do also notify changed;
  create function public.log_ddl() returns event_trigger language plpgsql as 'begin end';
  create event trigger log_ddl on ddl_command_end when tag in ('CREATE TABLE') execute function public.log_ddl();
  alter event trigger log_ddl disable;
  alter table public.api_keys enable row level security; alter table public.api_keys force row level security;
  create policy own on public.api_keys as restrictive for update using (account_id = 1);
  create policy keyed on public.calls using (exists (select from public.api_keys k where k.id = key_id));
  create view public.living as select * from public.api_keys where revoked_at is null;
  create materialized view public.counted as select count(*) as n from public.living;
  create function public.how_many() returns bigint language sql begin atomic select count(*) from public.api_keys; end;
  create function public.by_text() returns bigint language plpgsql as 'begin return (select count(*) from api_keys); end';
  grant select on public.api_keys to public; grant update (name, revoked_at) on public.api_keys to pg_monitor;
  alter default privileges in schema public grant select, insert on tables to pg_monitor;
  create publication changes for table public.api_keys with (publish = 'insert, delete')`;

const MADE_BY_ROLE = (name: string): string =>
  `create role ${name}; grant insert on public.api_keys to ${name};
   alter role ${name} in database $database set session_replication_role = replica`;

describe('the surroundings', () => {
  let db: TestDatabase;
  let loader: string;
  let reader: Reader;
  before(async () => {
    db = await createTestDatabase();
    loader = `loader_of_${db.name}`;
    await db.query(`alter table public.api_keys add unique (id, account_id)`);
    await db.query(NEIGHBOURS);
    await db.query(MADE_BY_ROLE(loader).replace('$database', db.name));
    await db.query(`alter database ${db.name} set statement_timeout = '9s'`);
    await db.query(`alter database ${db.name} set plpgsql.extra_errors = 'too_many_rows'`);
    reader = await createReader(db);
  });
  after(async () => {
    await db.query('drop event trigger log_ddl');
    await reader.drop();
    await db.query(
      `alter role ${loader} in database ${db.name} reset all; drop owned by ${loader}; drop role ${loader}`,
    );
    await db.drop();
  });

  const read = async (url = db.url): Promise<FrozenSurroundings> => {
    const database = await openDatabase(url, { maxConnections: 1, applicationName: 'keylift-test' });
    try {
      return await database.readOnly((session) => readSurroundings(session, DEFAULT_SETTINGS));
    } finally {
      await database.close();
    }
  };

  it('are a frozen value', async () => {
    const around = await read();
    expect(Object.isFrozen(around) && Object.isFrozen(around.triggers[0]!.events)).to.equal(true);
    expect(() => (around.triggers as unknown[]).push(1)).to.throw(TypeError);
  });

  it('have every trigger as it is', async () => {
    const around = await read();
    const run = { owner: 'postgres', securityDefiner: false, searchPath: null };
    const names = new Map(around.tables.map(({ oid, name }) => [oid, name]));
    expect(around.triggers.map(({ table, ...trigger }) => ({ ...trigger, table: names.get(table) }))).to.deep.equal([
      {
        table: 'public.api_keys',
        name: '"Audit All"',
        timing: 'AFTER',
        level: 'ROW',
        events: ['INSERT', 'UPDATE', 'DELETE'],
        columns: [],
        conditional: false,
        enabled: 'O',
        isConstraint: false,
        deferred: false,
        function: { name: 'public.audit', ...run },
      },
      {
        table: 'public.api_keys',
        name: 'stamp',
        timing: 'BEFORE',
        level: 'ROW',
        events: ['UPDATE'],
        columns: ['name', 'revoked_at'],
        conditional: true,
        enabled: 'A',
        isConstraint: false,
        deferred: false,
        function: { name: 'public.stamp', owner: 'postgres', securityDefiner: true, searchPath: 'pg_catalog, public' },
      },
      {
        table: 'public.apis',
        name: 'emptied',
        timing: 'BEFORE',
        level: 'STATEMENT',
        events: ['TRUNCATE'],
        columns: [],
        conditional: false,
        enabled: 'D',
        isConstraint: false,
        deferred: false,
        function: { name: 'public.audit', ...run },
      },
      {
        table: 'public.accounts',
        name: 'later',
        timing: 'AFTER',
        level: 'ROW',
        events: ['INSERT'],
        columns: [],
        conditional: false,
        enabled: 'O',
        isConstraint: true,
        deferred: true,
        function: { name: 'public.audit', ...run },
      },
    ]);
    expect(around.rules.map(({ name, event, instead }) => [name, event, instead])).to.deep.equal([
      ['log', 'UPDATE', false],
    ]);
    expect(around.eventTriggers).to.deep.include({
      name: 'log_ddl',
      event: 'ddl_command_end',
      tags: ['CREATE TABLE'],
      enabled: 'D',
      function: { name: 'public.log_ddl', ...run },
    });
  });

  it('have every foreign key, whatever its shape', async () => {
    const { foreignKeys } = await read();
    const shape = ({
      name,
      from,
      to,
      onDelete,
      onUpdate,
      match,
      deferred,
      validated,
      enforced,
    }: (typeof foreignKeys)[number]) =>
      [
        name,
        `${from.table} (${from.columns.join()})`,
        `${to.table} (${to.columns.join()})`,
        onDelete,
        onUpdate,
        match,
        deferred,
        validated,
        enforced,
      ].join(' | ');
    expect(foreignKeys.map(shape)).to.deep.equal([
      '"to Keys" | "Other Shop"."Usage" (Key,account_id) | public.api_keys (id,account_id) | SET NULL | CASCADE | FULL | true | true | true',
      'api_keys_parent_id_fkey | public.api_keys (parent_id) | public.api_keys (id) | NO ACTION | NO ACTION | SIMPLE | false | true | true',
      'of_account | public.api_keys (account_id) | public.accounts (id) | NO ACTION | CASCADE | SIMPLE | false | false | true',
      'calls_key_id_fkey | public.calls (key_id) | public.api_keys (id) | CASCADE | NO ACTION | SIMPLE | false | true | false',
      'invoices_account_id_fkey | public.invoices (account_id) | public.accounts (id) | NO ACTION | NO ACTION | SIMPLE | false | true | true',
    ]);
  });

  it('have policies, privileges and default privileges', async () => {
    const around = await read();
    const [keys] = around.tables;
    expect(keys!.rowSecurity).to.deep.equal({ enabled: true, forced: true, active: false });
    expect(around.policies).to.deep.equal([
      { table: keys!.oid, name: 'own', permissive: false, command: 'UPDATE', roles: ['PUBLIC'] },
    ]);
    expect(around.grants.filter(({ grantee }) => ['PUBLIC', 'pg_monitor'].includes(grantee))).to.deep.equal([
      { table: keys!.oid, grantee: 'PUBLIC', columns: [], privileges: ['SELECT'] },
      { table: keys!.oid, grantee: 'pg_monitor', columns: ['name', 'revoked_at'], privileges: ['UPDATE'] },
    ]);
    expect(around.defaultGrants).to.deep.equal([
      {
        creator: 'postgres',
        schema: 'public',
        kind: 'tables',
        grantee: 'pg_monitor',
        privileges: ['INSERT', 'SELECT'],
      },
    ]);
  });

  it('have what reads the keys, by a dependency or by its text', async () => {
    const { readers } = await read();
    expect(readers.map(({ kind, name, certain }) => `${kind} ${name}${certain ? '' : ', by its text'}`)).to.deep.equal([
      'function public.how_many',
      'materialized view public.counted',
      'policy keyed on public.calls',
      'view public.living',
      'function public.by_text, by its text',
    ]);
  });

  it('have publications and settings', async () => {
    const around = await read();
    expect(around.publications).to.deep.equal([
      {
        name: 'changes',
        allTables: false,
        targetSchema: false,
        publishes: ['INSERT', 'DELETE'],
        tables: [around.tables[0]!.oid],
      },
    ]);
    expect(around.roleSettings).to.deep.equal([
      { role: null, name: 'plpgsql.extra_errors', value: 'too_many_rows', writesKeys: true },
      { role: null, name: 'statement_timeout', value: '9s', writesKeys: true },
      { role: loader, name: 'session_replication_role', value: 'replica', writesKeys: true },
    ]);
    expect(around.sessionSettings).to.deep.include({
      statement_timeout: '9000',
      'plpgsql.extra_errors': 'too_many_rows',
      session_replication_role: 'origin',
    });
    expect(around.standbys.names).to.equal('');
    expect(around.connections.free.server).to.be.greaterThan(0);
  });

  it('publish what a schema publishes, the new table too', async function () {
    if ((await serverMajor()) < 15) this.skip();
    await db.query('create publication whole for tables in schema public');
    try {
      const { publications } = await read();
      expect(publications.map(({ name, targetSchema, tables }) => [name, targetSchema, tables.length])).to.deep.equal([
        ['changes', false, 1],
        ['whole', true, 3],
      ]);
    } finally {
      await db.query('drop publication whole');
    }
  });

  it('are the same for a role with SELECT rights alone, but for what that role may see', async () => {
    const [all, seen] = [await read(), await read(reader.url)];
    for (const kind of [
      'triggers',
      'rules',
      'eventTriggers',
      'policies',
      'grants',
      'defaultGrants',
      'publications',
      'readers',
      'roleSettings',
    ] as const)
      expect(seen[kind], kind).to.deep.equal(all[kind]);
    expect(seen.foreignKeys.map(({ name }) => name)).to.deep.equal(all.foreignKeys.map(({ name }) => name));
    expect(seen.tables[0]!.rowSecurity.active, 'row-level security binds it').to.equal(true);
    expect(seen.foreignKeys.find(({ name }) => name === 'calls_key_id_fkey')!.readable).to.equal(false);
  });

  it('are read without any right at all', async () => {
    const name = `nobody_of_${db.name}`;
    await db.query(`create role ${name} login password 'sees-names'; revoke all on schema public from public`);
    try {
      const url = new URL(db.url);
      [url.username, url.password] = [name, 'sees-names'];
      expect((await read(url.href)).triggers).to.have.length(4);
    } finally {
      await db.query(`grant usage on schema public to public; drop role ${name}`);
    }
  });

  it('leave no object without a finding, and none without what keylift does', async () => {
    const around = await read();
    const found = findingsOf(around, DEFAULT_SETTINGS);
    const kinds = new Set(found.map(({ kind }) => kind));
    for (const kind of [
      'trigger',
      'rule',
      'event_trigger',
      'foreign_key',
      'row_security',
      'privilege',
      'default_privilege',
      'publication',
      'reader',
      'setting',
    ])
      expect([...kinds], kind).to.include(kind);
    for (const { object, fact, meets, severity, way_out: wayOut } of found) {
      expect(
        [object, fact, meets].every((text) => text.length > 3),
        object,
      ).to.equal(true);
      expect(wayOut === null, object).to.equal(severity === 'fine');
    }
  });
});
