import { expect } from 'chai';
import pg from 'pg';
import { serverMajor } from '../support/database.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { LEGACY, SETTINGS } from './mirror-changes.js';
import { assertOutcomes, assertSound } from './sound.js';

describe('the mirror', () => {
  let migrated: Scenario;
  let scenario: Scenario;
  before(async () => {
    migrated = await Scenario.of(MOTLEY);
    await migrated.must('migrate --yes', 6);
  });
  after(() => migrated.close());
  beforeEach(async () => {
    scenario = await migrated.copy();
  });
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
      if (/^\s*merge\b/i.test(sql) && (await serverMajor()) < 15) {
        this.skip();
        return;
      }
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

  it('gives no living account key to a key whose API has left the store', async () => {
    await scenario.db.query(
      `update public.apis set kind = 'custom' where id = (select api_id from public.api_keys where id = 4)`,
    );
    await scenario.db.query(`update public.api_keys set revoked_at = null where id = 4`);
    expect(
      await scenario.db.query('select revoked_at from public.account_api_keys where id = 4 and revoked_at is null'),
    ).to.deep.equal([]);
  });

  it('takes the account key from a key whose API has left the store, when it is changed in Settings', async () => {
    await scenario.db.query(
      `update public.apis set kind = 'custom' where id = (select api_id from public.api_keys where id = 1)`,
    );
    await scenario.db.query(`update public.account_api_keys set name = 'renamed' where id = 1`);
    expect(await scenario.db.query('select from public.account_api_keys where id = 1')).to.deep.equal([]);
    expect(await scenario.db.query('select name from public.api_keys where id = 1')).to.deep.equal([
      { name: 'renamed' },
    ]);
  });

  it("leaves the account key to a row that a trigger of the platform's puts back", async () => {
    await scenario.db.query(`
      create function public.put_back() returns trigger language plpgsql as $$ begin insert into public.api_keys
        select (old).*; return null; end $$;
      create trigger put_back after delete on public.api_keys for each row when (old.id in (1, 21))
        execute function public.put_back()`);
    await scenario.db.query(`update public.account_api_keys set last_used_at = '2031-01-01' where id = 1`);
    for (const id of [1, 21]) await scenario.db.query('delete from public.api_keys where id = $1', [id]);
    expect(
      await scenario.db.query('select last_used_at::date::text from public.account_api_keys where id = 1'),
    ).to.deep.equal([{ last_used_at: '2031-01-01' }]);
    await rightAtOnce();
  });

  it('tells rows that are no per-API keys from those that are', async () => {
    const narrowed = await Scenario.of(MOTLEY);
    try {
      const config = await narrowed.file(
        'config.json',
        JSON.stringify({ legacy: { keys: { where: { sql: `k.name is distinct from 'none'` } } } }),
      );
      await narrowed.must(`migrate --yes --config ${config}`, 6);
      const accountKeys = (): Promise<unknown> =>
        narrowed.db.query(
          `select id::int, revoked_at::text from public.account_api_keys where id in (1, 4001, 4002) order by id`,
        );
      await narrowed.db.query(
        `insert into public.api_keys (id, account_id, api_id, name, token)
          values (4001, 1, 2, 'none', '${tokenOf('none')}')`,
      );
      await narrowed.db.query(
        `insert into public.api_keys (id, account_id, api_id, name, token)
          values (4002, 1, 2, 'one', '${tokenOf('one')}')`,
      );
      expect(await accountKeys()).to.deep.equal([
        { id: 1, revoked_at: null },
        { id: 4002, revoked_at: null },
      ]);
      await narrowed.db.query(`update public.api_keys set name = 'one' where id = 4001`);
      await narrowed.db.query(`update public.api_keys set name = 'none', revoked_at = now() where id = 4002`);
      expect(await accountKeys()).to.deep.equal([
        { id: 1, revoked_at: null },
        { id: 4001, revoked_at: null },
      ]);
      await narrowed.must(`verify --config ${config}`);
    } finally {
      await narrowed.close();
    }
  });

  it('says of each key that is written alone what the batches say of all', async () => {
    const [alone, together] = await Promise.all([
      Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS }),
      Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS }),
    ]);
    try {
      const rename = `update public.api_keys set name = coalesce(name, '') || '!'`;
      await together.db.query(rename);
      for (const each of [alone, together])
        await each.must(`migrate --yes --until harden --holds ${await each.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
      for (const { id } of await alone.db.query<{ id: string }>('select id from public.api_keys'))
        await alone.db.query(`${rename} where id = ${id}`);
      expect(await alone.targetDigest()).to.equal(await together.targetDigest());
    } finally {
      await Promise.all([alone.close(), together.close()]);
    }
  });

  it("takes an account's account keys along and leaves its per-API keys to a person", async () => {
    await scenario.db.query('delete from public.accounts where id = 1');
    expect(await scenario.settings(1)).to.deep.equal([]);
    expect(await scenario.db.query(`select reason from keylift.outcomes where key_id = 1`)).to.deep.equal([
      { reason: 'missing_account' },
    ]);
    // What had no account key is judged by the next run; until then it goes on as it was.
    await scenario.must('migrate --yes', 6);
    await assertSound(scenario, 'all');
  });

  it('sets a per-API key aside whose token a key born in Settings has', async () => {
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`,
    );
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, token) values (4100, 1, 1, '${tokenOf('born')}')`,
    );
    expect(await scenario.db.query('select outcome, reason from keylift.outcomes where key_id = 4100')).to.deep.equal([
      { outcome: 'exception', reason: 'shared_token' },
    ]);
    expect(await scenario.authorize(tokenOf('born'), 1)).to.have.length(1);
    await scenario.must('verify');
  });

  for (const [what, sql] of [
    ['another token', `update public.account_api_keys set token = '${tokenOf('other')}' where name = 'born'`],
    ['no more key', `delete from public.account_api_keys where name = 'born'`],
  ] as const) {
    it(`judges that key anew once the one born in Settings has ${what}`, async () => {
      await scenario.db.query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`,
      );
      await scenario.db.query(
        `insert into public.api_keys (id, account_id, api_id, token) values (4100, 1, 1, '${tokenOf('born')}')`,
      );
      await scenario.db.query(sql);
      await rightAtOnce();
      expect((await scenario.authorize(tokenOf('born'), 2))[0]).to.include({ key_id: '4100', source: 'account' });
    });
  }

  it('refuses a key born in Settings with a token that a per-API key has', async () => {
    for (const token of [tokenOf(1), tokenOf('half dead')]) {
      const error = await scenario.db
        .query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', $1)`, [token])
        .catch((e: unknown) => e);
      expect(error).to.include({ code: '23505' });
    }
  });

  it('refuses TRUNCATE of either table and says what to do', async () => {
    for (const table of [
      'public.api_keys',
      'public.account_api_keys',
      'public.api_keys cascade',
      'public.accounts cascade',
    ]) {
      const error = (await scenario.db.query(`truncate ${table}`).catch((e: unknown) => e)) as pg.DatabaseError;
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
      create schema shadow; create table shadow.api_keys (id int); create table shadow.account_api_keys (id int);
      create table shadow.outcomes (id int);
      create function shadow.unnest(anyarray) returns setof anyelement language sql
        as 'select null::anyelement where false';
      create function shadow.coalesce_now() returns timestamptz language sql as 'select null::timestamptz';
      create function shadow.now() returns timestamptz language sql as $$ select '1900-01-01'::timestamptz $$;
      create function shadow.length(text) returns int language sql as 'select 0';
      create function shadow.same(bigint, bigint) returns boolean language sql as 'select false';
      create operator shadow.= (leftarg = bigint, rightarg = bigint, function = shadow.same);
      set search_path = shadow, public, pg_catalog`,
    'temporary tables that shadow names':
      'create temp table api_keys ' +
      '(id int); create temp table account_api_keys (id ' +
      'int); create temp table apis (id int); set search_path = pg_temp, public',
    'another time zone and date style':
      `set timezone = 'Asia/Kathmandu'; ` +
      `set datestyle = 'German, DMY'; set intervalstyle = 'sql_standard'; set bytea_output = 'escape'`,
  };
  for (const [what, set] of Object.entries(PATHS)) {
    it(`works in a session with ${what}`, async () => {
      const session = await scenario.db.connect();
      await session.query(set);
      await session.query(
        `insert into public.api_keys (account_id, api_id, name, token) values (1::bigint, 2::bigint, 'new',
          '${tokenOf('new')}')`,
      );
      await session.query(
        `update public.api_keys set revoked_at = '2025-01-01 00:00:00+00' where name = 'invoice-api-key'`,
      );
      await session.query(`delete from public.api_keys where token = '${tokenOf(2)}'`);
      await session.query(
        `update public.account_api_keys set name = 'in Settings', revoked_at = '2025-01-01 00:00:00+00'
          where token = '${tokenOf('twins')}'`,
      );
      await session.query(`delete from public.account_api_keys where token = '${tokenOf(9)}'`);
      await session.query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`,
      );
      await session.end();
      expect(
        await scenario.db.query('select id::int from public.api_keys where id in (1, 2, 9, 21) order by id'),
      ).to.deep.equal([{ id: 1 }, { id: 21 }]);
      await assertOutcomes(scenario);
      await scenario.everyPair('all');
      await scenario.must('verify');
    });
  }

  it('serves a role that may write the legacy tables and nothing else', async () => {
    const role = `old_release_of_${scenario.db.name}`;
    await scenario.db.query(`
      create role ${role} login password 'change me'; grant usage on schema public to ${role};
      grant select, insert, update, delete on public.api_keys to ${role};
      grant select on public.accounts, public.apis to ${role}`);
    const url = new URL(scenario.db.url);
    [url.username, url.password] = [role, encodeURIComponent('change me')];
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      for (const what of [
        'insert',
        'rename',
        'revocation',
        'a twin appears',
        'one of three twins is revoked',
        "another account's twin appears",
        'step into the store',
      ])
        await client.query(LEGACY[what]!);
      await client.query('delete from public.api_keys where id = 2');
      for (const sql of [
        'select from public.account_api_keys',
        'select from keylift.outcomes',
        `select keylift.settle('{1}', '{}')`,
        `select from keylift.authorize('x', 1)`,
      ]) {
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
    await scenario.db.query(
      `create role ${role} login password 'change me';
        grant select, insert, update, delete on public.account_api_keys to ${role}`,
    );
    const url = new URL(scenario.db.url);
    [url.username, url.password] = [role, encodeURIComponent('change me')];
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    try {
      for (const what of ['rename', 'revocation of a merged key']) await client.query(SETTINGS[what]!.sql);
      await client.query('delete from public.account_api_keys where id = 2');
      await client.query(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`,
      );
    } finally {
      await client.end();
    }
    await rightAtOnce();
    await scenario.db.query(`drop owned by ${role}; drop role ${role}`);
  });
});
