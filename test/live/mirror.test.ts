import { expect } from 'chai';
import pg from 'pg';
import { serverMajor } from '../support/database.js';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { plantMany, tokenOf } from '../support/seed.js';
import { assertOutcomes, assertSound } from './sound.js';

const DAY = '2025-01-01 00:00:00.000001+00';
const LATER = '2026-01-01 00:00:00.000001+00';

/** What the old release does, and what must come of it is asked of the model. Key 1 is acme's for invoices, 3 for its forms. */
const LEGACY: Record<string, string> = {
  'insert': `insert into public.api_keys (account_id, api_id, name, token) values (1, 2, 'new', '${tokenOf('new')}')`,
  'insert of a custom API\'s key': `insert into public.api_keys (account_id, api_id, name, token) values (1, 4, 'new', '${tokenOf('new')}')`,
  'insert of a dead key': `insert into public.api_keys (account_id, api_id, token, revoked_at) values (1, 2, '${tokenOf('new')}', now())`,
  'insert that points nowhere': `insert into public.api_keys (account_id, api_id, token) values (1, 98, '${tokenOf('new')}'), (97, 1, '${tokenOf('newer')}'), (1, 1, null), (1, 1, '')`,
  'rename': `update public.api_keys set name = '  نام 🔑 ' where id = 1`,
  'a name that goes': `update public.api_keys set name = null where id = 1`,
  'rotation of a token': `update public.api_keys set token = '${tokenOf('rotated')}' where id = 1`,
  'swap of two tokens': `update public.api_keys set token = case id when 1 then '${tokenOf(2)}' else '${tokenOf(1)}' end where id in (1, 2)`,
  'round of three tokens': `update public.api_keys set token = case id when 1 then '${tokenOf(2)}' when 2 then '${tokenOf(6)}' else '${tokenOf(1)}' end where id in (1, 2, 6)`,
  'a token that goes': `update public.api_keys set token = null where id = 1`,
  'revocation': `update public.api_keys set revoked_at = '${DAY}' where id = 1`,
  'un-revocation': `update public.api_keys set revoked_at = null where id = 4`,
  'expiry': `update public.api_keys set expires_at = '${DAY}' where id = 1`,
  'expiry taken back': `update public.api_keys set expires_at = null where id = 5`,
  'step to a custom API': `update public.api_keys set api_id = 4 where id = 1`,
  'step into the store': `update public.api_keys set api_id = 2 where id = 3`,
  'step to a custom API and back': `update public.api_keys set api_id = 4 where id = 1; update public.api_keys set api_id = 3 where id = 1`,
  'change of account': `update public.api_keys set account_id = 2 where id = 1`,
  'change to an account that is not there': `update public.api_keys set account_id = 99 where id = 1`,
  'another creation date': `update public.api_keys set created_at = '${DAY}' where id = 1`,
  'delete': `delete from public.api_keys where id = 1`,
  'delete and insert of the same id': `delete from public.api_keys where id = 1; insert into public.api_keys (id, account_id, api_id, token) values (1, 2, 1, '${tokenOf('again')}')`,
  'new id': `update public.api_keys set id = 4001 where id = 1`,
  'exchange of two ids': `update public.api_keys set id = -1 where id = 1; update public.api_keys set id = 1 where id = 2; update public.api_keys set id = 2 where id = -1`,
  'a twin appears': `insert into public.api_keys (account_id, api_id, token) values (1, 2, '${tokenOf(1)}')`,
  'an earlier twin appears': `insert into public.api_keys (account_id, api_id, token, created_at) values (1, 2, '${tokenOf(1)}', '1999-01-01')`,
  'a dead twin appears': `insert into public.api_keys (account_id, api_id, token, revoked_at) values (1, 2, '${tokenOf(1)}', now())`,
  'another account\'s twin appears': `insert into public.api_keys (account_id, api_id, token) values (2, 2, '${tokenOf(1)}')`,
  'the kept twin goes': `delete from public.api_keys where id = 21`,
  'another twin goes': `delete from public.api_keys where id = 20`,
  'one of three twins is revoked': `update public.api_keys set revoked_at = now() where id = 22`,
  'one after another, three twins are revoked': `update public.api_keys set revoked_at = now() where id = 22; update public.api_keys set revoked_at = now() where id = 20; update public.api_keys set revoked_at = now() where id = 21`,
  'a conflicting twin goes': `delete from public.api_keys where id = 28`,
  'conflicting twins come to one life': `update public.api_keys set revoked_at = null where id = 28`,
  'a shared token is one account\'s': `update public.api_keys set account_id = 1 where id = 32`,
  'an orphan finds its account': `update public.api_keys set account_id = 1 where id = 42`,
  'an orphan finds its API': `update public.api_keys set api_id = 1 where id = 40`,
  'a key without a date gets one': `update public.api_keys set created_at = now() where id = 46`,
  'ON CONFLICT DO UPDATE, met and not': `
    insert into public.api_keys (id, account_id, api_id, name, token) values (1, 1, 1, 'upserted', 'x'), (4002, 1, 1, 'upserted', '${tokenOf('upserted')}')
    on conflict (id) do update set name = excluded.name, revoked_at = now()`,
  'ON CONFLICT DO NOTHING': `insert into public.api_keys (id, account_id, api_id, token) values (1, 1, 1, 'x') on conflict do nothing`,
  'MERGE': `
    merge into public.api_keys k using (values (1, 'a'), (2, 'b'), (4003, 'c')) as v (id, name) on k.id = v.id
    when matched and v.id = 1 then delete when matched then update set name = v.name, revoked_at = now()
    when not matched then insert (id, account_id, api_id, name, token) values (v.id, 1, 2, v.name, '${tokenOf('merged')}')`,
  'writing CTEs': `
    with gone as (delete from public.api_keys where id in (1, 2) returning *), changed as (update public.api_keys set name = 'cte' where id in (6, 20, 60) returning id)
    insert into public.api_keys (id, account_id, api_id, name, token, created_at) select id + 5000, account_id, api_id, name, token, created_at from gone`,
  'nothing': `update public.api_keys set name = name where id < 100; delete from public.api_keys where false; insert into public.api_keys (id) select 1 where false`,
  'all of it': `update public.api_keys set name = 'all', expires_at = null, revoked_at = null, api_id = 1, account_id = 1 where id > 0`,
};

/** What the new release does in Settings, and the legacy rows that must come of it. */
const SETTINGS: Record<string, { sql: string; legacy: string; rows: unknown[] }> = {
  'rename': { sql: `update public.account_api_keys set name = 'in Settings' where id = 1`, legacy: 'select name from public.api_keys where id = 1', rows: [{ name: 'in Settings' }] },
  'rename of a merged key': { sql: `update public.account_api_keys set name = 'in Settings' where id = 21`, legacy: 'select name from public.api_keys where id in (20, 21, 22) order by id', rows: [{ name: 'second' }, { name: 'in Settings' }, { name: 'same moment' }] },
  'revocation': { sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 1`, legacy: 'select revoked_at::text from public.api_keys where id = 1', rows: [{ revoked_at: DAY }] },
  'revocation of a merged key': { sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 21`, legacy: `select id::int from public.api_keys where revoked_at = '${DAY}' order by id`, rows: [{ id: 20 }, { id: 21 }, { id: 22 }] },
  'un-revocation': { sql: `update public.account_api_keys set revoked_at = null where id = 4`, legacy: 'select revoked_at from public.api_keys where id = 4', rows: [{ revoked_at: null }] },
  'un-revocation of a merged dead key': { sql: `update public.account_api_keys set revoked_at = null where id = 23`, legacy: 'select id::int from public.api_keys where id in (23, 24) and revoked_at is null order by id', rows: [{ id: 23 }, { id: 24 }] },
  'expiry of a merged key': { sql: `update public.account_api_keys set expires_at = '${DAY}' where id = 25`, legacy: `select id::int from public.api_keys where expires_at = '${DAY}' order by id`, rows: [{ id: 25 }, { id: 26 }] },
  'rotation of a merged key\'s token': { sql: `update public.account_api_keys set token = '${tokenOf('r')}' where id = 21`, legacy: `select id::int from public.api_keys where token = '${tokenOf('r')}' order by id`, rows: [{ id: 20 }, { id: 21 }, { id: 22 }] },
  'change of account': { sql: `update public.account_api_keys set account_id = 2 where id = 1`, legacy: 'select account_id::int from public.api_keys where id = 1', rows: [{ account_id: 2 }] },
  'delete': { sql: 'delete from public.account_api_keys where id = 1', legacy: 'select from public.api_keys where id = 1', rows: [] },
  'delete of a merged key': { sql: 'delete from public.account_api_keys where id = 21', legacy: 'select from public.api_keys where id in (20, 21, 22)', rows: [] },
  'writing CTEs': { sql: `with gone as (delete from public.account_api_keys where id = 1) update public.account_api_keys set name = 'cte', revoked_at = '${DAY}' where id = 2`, legacy: 'select id::int, name from public.api_keys where id in (1, 2)', rows: [{ id: 2, name: 'cte' }] },
  'all of it': { sql: `update public.account_api_keys set revoked_at = '${DAY}'`, legacy: `select count(*)::int = (select count(*)::int from public.api_keys k join public.account_api_keys t on t.id = k.id) + (select count(*)::int from keylift.outcomes where outcome = 'merge') as all from public.api_keys where revoked_at = '${DAY}'`, rows: [{ all: true }] },
};

describe('the mirror', () => {
  let migrated: Scenario;
  let scenario: Scenario;
  before(async () => {
    migrated = await Scenario.of(MOTLEY);
    await migrated.must('migrate --yes', 6);
  });
  after(() => migrated.close());
  beforeEach(async () => { scenario = await migrated.copy(); });
  afterEach(() => scenario.close());

  /** Right as it stands, before any run had a chance to put it right. */
  const rightAtOnce = async (): Promise<void> => {
    await assertOutcomes(scenario);
    await scenario.everyPair('all');
    await assertSound(scenario, 'all');
  };

  for (const [what, sql] of Object.entries(LEGACY)) {
    it(`carries over: ${what}`, async function () {
      // MERGE came with PostgreSQL 15.
      if (/^\s*merge\b/i.test(sql) && (await serverMajor()) < 15) { this.skip(); return; }
      await scenario.db.query(sql);
      await rightAtOnce();
    });
  }

  for (const [what, { sql, legacy, rows }] of Object.entries(SETTINGS)) {
    it(`carries back: ${what}`, async () => {
      await scenario.db.query(sql);
      expect(await scenario.db.query(legacy)).to.deep.equal(rows);
      await rightAtOnce();
    });
  }

  it('takes an account\'s account keys along and leaves its per-API keys to a person', async () => {
    await scenario.db.query('delete from public.accounts where id = 1');
    expect(await scenario.settings(1)).to.deep.equal([]);
    expect(await scenario.db.query(`select reason from keylift.outcomes where key_id = 1`)).to.deep.equal([{ reason: 'missing_account' }]);
    // What had no account key is judged by the next run; until then it goes on as it was.
    await scenario.must('migrate --yes', 6);
    await assertSound(scenario, 'all');
  });

  it('sets a per-API key aside whose token a key born in Settings has', async () => {
    await scenario.db.query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`);
    await scenario.db.query(`insert into public.api_keys (id, account_id, api_id, token) values (4100, 1, 1, '${tokenOf('born')}')`);
    expect(await scenario.db.query('select outcome, reason from keylift.outcomes where key_id = 4100')).to.deep.equal([{ outcome: 'exception', reason: 'shared_token' }]);
    expect(await scenario.authorize(tokenOf('born'), 1)).to.have.length(1);
    await scenario.must('verify');
  });

  it('refuses a key born in Settings with a token that a per-API key has', async () => {
    for (const token of [tokenOf(1), tokenOf('half dead')]) {
      const error = await scenario.db.query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', $1)`, [token]).catch((e: unknown) => e);
      expect(error).to.include({ code: '23505' });
    }
  });

  it('refuses TRUNCATE of either table and says what to do', async () => {
    for (const table of ['public.api_keys', 'public.account_api_keys', 'public.api_keys cascade', 'public.accounts cascade']) {
      const error = await scenario.db.query(`truncate ${table}`).catch((e: unknown) => e) as pg.DatabaseError;
      expect(error.code, table).to.equal('55000');
      expect(error.message).to.match(/TRUNCATE of public\.(account_)?api_keys is refused/);
      expect(error.hint).to.include('Delete the rows').and.include('keylift rollback');
    }
    await rightAtOnce();
  });

  it('stays silent where nothing changes, and writes nothing twice', async () => {
    const versions = () => scenario.db.query(`select id, xmin, ctid from public.account_api_keys order by id`);
    const before = await versions();
    await scenario.db.query(`update public.api_keys set name = name, token = token, revoked_at = revoked_at`);
    await scenario.db.query(`update public.api_keys set last_used_at = now() where id in (1, 21)`);
    expect(await versions()).to.deep.equal(before);
  });

  const PATHS: Record<string, string> = {
    'an empty search_path': `set search_path = ''`,
    'a search_path of its own': `set search_path = pg_catalog`,
    'a search_path that shadows names': `
      create schema shadow; create table shadow.api_keys (id int); create table shadow.account_api_keys (id int); create table shadow.outcomes (id int);
      create function shadow.unnest(anyarray) returns setof anyelement language sql as 'select null::anyelement where false';
      create function shadow.coalesce_now() returns timestamptz language sql as 'select null::timestamptz';
      create function shadow.now() returns timestamptz language sql as $$ select '1900-01-01'::timestamptz $$;
      create function shadow.length(text) returns int language sql as 'select 0';
      create function shadow.same(bigint, bigint) returns boolean language sql as 'select false';
      create operator shadow.= (leftarg = bigint, rightarg = bigint, function = shadow.same);
      set search_path = shadow, public, pg_catalog`,
    'temporary tables that shadow names': `create temp table api_keys (id int); create temp table account_api_keys (id int); create temp table apis (id int); set search_path = pg_temp, public`,
    'another time zone and date style': `set timezone = 'Asia/Kathmandu'; set datestyle = 'German, DMY'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape'`,
  };
  for (const [what, set] of Object.entries(PATHS)) {
    it(`works in a session with ${what}`, async () => {
      const session = await scenario.db.connect();
      await session.query(set);
      await session.query(`insert into public.api_keys (account_id, api_id, name, token) values (1::bigint, 2::bigint, 'new', '${tokenOf('new')}')`);
      await session.query(`update public.api_keys set revoked_at = '2025-01-01 00:00:00+00' where name = 'invoice-api-key'`);
      await session.query(`delete from public.api_keys where token = '${tokenOf(2)}'`);
      await session.query(`update public.account_api_keys set name = 'in Settings', revoked_at = '2025-01-01 00:00:00+00' where token = '${tokenOf('twins')}'`);
      await session.query(`delete from public.account_api_keys where token = '${tokenOf(9)}'`);
      await session.query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`);
      await session.end();
      expect(await scenario.db.query('select id::int from public.api_keys where id in (1, 2, 9, 21) order by id')).to.deep.equal([{ id: 1 }, { id: 21 }]);
      await assertOutcomes(scenario);
      await scenario.everyPair('all');
      await scenario.must('verify');
    });
  }

  it('serves a role that may write the legacy tables and nothing else', async () => {
    const role = `old_release_of_${scenario.db.name}`;
    await scenario.db.query(`
      create role ${role} login password 'change me'; grant usage on schema public to ${role};
      grant select, insert, update, delete on public.api_keys to ${role}; grant select on public.accounts, public.apis to ${role}`);
    const url = new URL(scenario.db.url);
    [url.username, url.password] = [role, encodeURIComponent('change me')];
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      for (const what of ['insert', 'rename', 'revocation', 'a twin appears', 'one of three twins is revoked', 'another account\'s twin appears', 'step into the store']) await client.query(LEGACY[what]!);
      await client.query('delete from public.api_keys where id = 2');
      for (const sql of ['select from public.account_api_keys', 'select from keylift.outcomes', `select keylift.settle('{1}', '{}')`, `select from keylift.authorize('x', 1)`]) {
        expect(await client.query(sql).catch((e: unknown) => e), sql).to.include({ code: '42501' });
      }
    } finally {
      await client.end();
    }
    await rightAtOnce();
    await scenario.db.query(`drop owned by ${role}; drop role ${role}`);
  });

  it('serves a role that may write the new table and nothing else', async () => {
    const role = `new_release_of_${scenario.db.name}`;
    await scenario.db.query(`create role ${role} login password 'change me'; grant select, insert, update, delete on public.account_api_keys to ${role}`);
    const url = new URL(scenario.db.url);
    [url.username, url.password] = [role, encodeURIComponent('change me')];
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      for (const what of ['rename', 'revocation of a merged key']) await client.query(SETTINGS[what]!.sql);
      await client.query('delete from public.account_api_keys where id = 2');
      await client.query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`);
    } finally {
      await client.end();
    }
    await rightAtOnce();
    await scenario.db.query(`drop owned by ${role}; drop role ${role}`);
  });

  describe('last use', () => {
    const used = async () => (await scenario.db.query<{ legacy: string | null; settings: string | null }>(`
      select (select last_used_at::text from public.api_keys where id = 1) as legacy, (select last_used_at::text from public.account_api_keys where id = 1) as settings`))[0]!;
    const COMMANDS = ['verify', 'migrate --yes', 'switch --all --yes', 'switch --back --yes', 'finalize --yes', 'rollback --yes'];
    for (const where of ['api_keys', 'account_api_keys']) {
      for (const command of COMMANDS) {
        it(`in ${where} is caught up by ${command}`, async () => {
          await scenario.db.query(`update public.${where} set last_used_at = '${LATER}' where id = 1`);
          await scenario.must(command, 0, 6);
          const source = command.startsWith('finalize') ? 'keylift.archived_keys' : 'public.api_keys';
          expect(await scenario.db.query(`select last_used_at::text from ${source} where id = 1`)).to.deep.equal([{ last_used_at: LATER }]);
          if (!command.startsWith('rollback')) expect((await used()).settings).to.equal(LATER);
        });
      }
    }

    it('that never was is written nowhere', async () => {
      const versions = () => scenario.db.query(`select id, xmin, ctid from public.api_keys where last_used_at is null union all select id, xmin, ctid from public.account_api_keys where last_used_at is null order by 1`);
      const before = await versions();
      for (const command of ['verify', 'switch --back --yes', 'switch --all --yes', 'migrate --yes']) await scenario.must(command, 0, 6);
      expect(await versions()).to.deep.equal(before);
    });

    it('never goes back', async () => {
      await scenario.db.query(`update public.api_keys set last_used_at = '1990-01-01' where id = 1`);
      await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
      await scenario.db.query(`update public.api_keys set last_used_at = '1991-01-01' where id = 1`);
      await scenario.must('verify');
      expect(await used()).to.deep.equal({ legacy: LATER, settings: LATER });
    });

    it('of a merged key is the latest of its rows', async () => {
      await scenario.db.query(`update public.api_keys set last_used_at = '${LATER}' where id = 20`);
      await scenario.must('verify');
      expect(await scenario.db.query('select last_used_at::text from public.account_api_keys where id = 21')).to.deep.equal([{ last_used_at: LATER }]);
    });

    it('survives a key that is held from now on', async () => {
      await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 1`);
      await scenario.must(`migrate --yes --holds ${await scenario.file('holds.csv', 'key_id\n1\n')}`, 6);
      expect((await used())).to.deep.equal({ legacy: LATER, settings: null });
    });

    for (const [what, sql] of Object.entries({ 'a revocation of one twin': 'update public.api_keys set revoked_at = now() where id = 20', 'a step to a custom API': 'update public.api_keys set api_id = 4 where id = 21' })) {
      it(`survives the account key's end by ${what}`, async () => {
        await scenario.db.query(`update public.account_api_keys set last_used_at = '${LATER}' where id = 21`);
        await scenario.db.query(sql);
        await scenario.must('verify');
        expect(await scenario.db.query(`select max(last_used_at)::text as last from public.api_keys where token = '${tokenOf('twins')}'`)).to.deep.equal([{ last: LATER }]);
      });
    }
  });
});

describe('the mirror and statements of 100,000 rows', function () {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 1_000 });
    await scenario.must('migrate --yes');
  });
  after(() => scenario.close());
  const digests = () => scenario.db.query(`
    select (select count(*)::int from public.account_api_keys where origin_api_id is not null) as n,
      (select count(*)::int from public.api_keys k join public.account_api_keys t on t.id = k.id
       where (t.name, t.token, t.revoked_at, t.account_id) is distinct from (k.name, k.token, k.revoked_at, k.account_id)) as different`);
  const STATEMENTS: [string, string, number][] = [
    ['insert', `insert into public.api_keys (id, account_id, api_id, name, token) select 100000 + n, 1 + n % 200, 1, 'k', 'many ' || n from generate_series(1, 100000) n`, 100_900],
    ['rename and rotation', `update public.api_keys set name = 'renamed ' || id, token = 'rotated ' || id where id > 100000`, 100_900],
    ['rename and revocation in Settings', `update public.account_api_keys set name = 'settings ' || id, revoked_at = now() where id > 100000`, 100_900],
    ['un-revocation', `update public.api_keys set revoked_at = null where id > 100000`, 100_900],
    ['delete of half in Settings', `delete from public.account_api_keys where id > 150000`, 50_900],
    ['delete', `delete from public.api_keys where id > 100000`, 900],
  ];
  for (const [what, sql, n] of STATEMENTS) {
    it(`${what}`, async () => {
      await scenario.db.query(sql);
      expect(await digests()).to.deep.equal([{ n, different: 0 }]);
    });
  }
  it('insert of keys born in Settings', async () => {
    await scenario.db.query(`insert into public.account_api_keys (account_id, name, token) select 1 + n % 200, 'born', 'born ' || n from generate_series(1, 100000) n`);
    expect(await scenario.db.query('select count(*)::int as n from public.account_api_keys where origin_api_id is null')).to.deep.equal([{ n: 100_000 }]);
  });
  it('leave a migration that is right', async () => {
    await scenario.must('verify');
    await assertInvariants(scenario.db);
  });
});
