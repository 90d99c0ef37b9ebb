import { expect } from 'chai';
import type pg from 'pg';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { keyliftWaitsFor, Session } from './sessions.js';

interface Proof {
  ok: boolean;
  keys: Record<string, number>;
  authorization: Record<string, number>;
  differences: unknown[];
}

const ddlOf = (stderr: string): string[] =>
  stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(ALTER|UPDATE)\b/.test(line));

describe('finalize', () => {
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

  /** Every answer there is, to be compared before and after. */
  const answers = () =>
    scenario.db.query(`
    select t.token, a.id, f.* from (select token from public.account_api_keys union select token
      from keylift.per_api_keys) t
    cross join public.apis a cross join lateral keylift.authorize(t.token, a.id) f order by 1, 2`);

  it('archives what moved, changes no answer, and the proof holds', async () => {
    const before = await answers();
    const proofBefore = (await scenario.must('verify --json')).json<Proof>();
    const report = (await scenario.must('finalize --yes --json')).json<{ state: string; archived: number }>();
    const [counts] = await scenario.db.query(`
      select (select count(*)::int from keylift.archived_keys) as archived,
        (select count(*)::int from public.account_api_keys) + (select count(*)::int from keylift.outcomes
          where outcome = 'merge') as moved,
        (select count(*)::int from public.api_keys k where exists (select from public.account_api_keys t
          where t.id = k.id)) as left`);
    expect(report).to.deep.include({ state: 'finalized', archived: counts!.archived });
    expect(counts).to.deep.equal({ archived: counts!.moved, moved: counts!.moved, left: 0 });
    expect(await answers()).to.deep.equal(before);
    const proof = (await scenario.must('verify --json')).json<Proof>();
    expect([proof.ok, proof.keys, proof.authorization]).to.deep.equal([
      true,
      proofBefore.keys,
      proofBefore.authorization,
    ]);
    expect((await scenario.must('finalize --yes --json')).json()).to.deep.equal(report);
  });

  it('has a proof after it that is as strict as before', async () => {
    await scenario.must('finalize --yes');
    for (const [sql, undo] of [
      [
        `update keylift.archived_keys set name = 'x' where id = 1`,
        `update keylift.archived_keys set name = 'invoice-api-key' where id = 1`,
      ],
      [
        `update keylift.archived_keys set revoked_at = now() where id = 2`,
        `update keylift.archived_keys set revoked_at = null where id = 2`,
      ],
      [
        `update keylift.archived_keys set account_id = 3 where id = 1`,
        `update keylift.archived_keys set account_id = 1 where id = 1`,
      ],
    ] as const) {
      await scenario.db.query(sql);
      await scenario.must('verify', 4);
      await scenario.db.query(undo);
      await scenario.must('verify');
    }
    await scenario.db.query('delete from keylift.archived_keys where id = 1');
    await scenario.must('verify', 4);
  });

  it('goes on following what people do in Settings', async () => {
    await scenario.must('finalize --yes');
    await scenario.db.query(
      `update public.account_api_keys set revoked_at = now() where id in (1, 21);
        update public.account_api_keys set name = 'x' where id = 2;
        delete from public.account_api_keys where id in (6, 25)`,
    );
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}')`,
    );
    await scenario.must('verify');
    expect(await scenario.authorize(tokenOf(1), 1)).to.deep.equal([]);
    expect(await scenario.authorize(tokenOf('born'), 2)).to.have.length(1);
  });

  it('refuses until every account is switched', async () => {
    const legacy = await scenario.legacyDigest();
    for (const back of [
      '--back',
      '--cohort 50% --back',
      `--accounts ${await scenario.file('one.csv', 'account_id\n1\n')} --back`,
    ]) {
      await scenario.must(`switch ${back} --yes`);
      const { exitCode, stderr } = await scenario.run('finalize --yes');
      expect([exitCode, stderr.includes('not-switched')], stderr).to.deep.equal([3, true]);
      await scenario.must('switch --all --yes');
    }
    expect((await scenario.run('finalize')).exitCode, 'nobody said yes').to.equal(3);
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('refuses while the proof finds differences', async () => {
    const session = await Session.open(scenario.db);
    await session.run(
      `set session_replication_role = replica; update public.api_keys set name = 'past the mirror' where id = 1`,
    );
    const legacy = await scenario.legacyDigest();
    expect((await scenario.run('finalize --yes')).exitCode).to.equal(4);
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('refuses a new key of a store API in the legacy table, and only that', async () => {
    await scenario.must('finalize --yes');
    const error = async (sql: string) => (await scenario.db.query(sql).catch((e: unknown) => e)) as pg.DatabaseError;
    for (const sql of [
      `insert into public.api_keys (account_id, api_id, token) values (1, 1, 'new')`,
      `insert into public.api_keys (account_id, api_id, token) values (1, 4, 'new'), (1, 1, 'newer')`,
      `update public.api_keys set api_id = 1 where id = 3`,
      `update public.api_keys set api_id = 1 where id = 40`,
    ]) {
      const refused = await error(sql);
      expect(refused.code, sql).to.equal('55000');
      expect(refused.message).to.include('Settings');
      expect(refused.hint).to.include('account_api_keys');
    }
    await scenario.db.query(
      `insert into public.api_keys (account_id, api_id, token) values (1, 4, '${tokenOf('custom')}')`,
    );
    await scenario.db.query(`update public.api_keys set revoked_at = now() where id in (27, 31)`);
    await scenario.db.query(`delete from public.api_keys where id in (3, 40)`);
    expect(await scenario.authorize(tokenOf('custom'), 4)).to.have.length(1);
    expect(await scenario.authorize(tokenOf('half dead'), 1)).to.deep.equal([]);
  });

  it('can be interrupted between any two steps, and goes on', async () => {
    const before = await answers();
    await scenario.db.query(
      `create function keylift.test_fail() returns trigger language plpgsql as $$
        begin raise exception 'the server fails here'; end $$`,
    );
    for (const trigger of [
      'create trigger zz_fail after delete on public.api_keys for each statement execute function keylift.test_fail()',
      `create trigger zz_fail before insert on keylift.events for each row when (new.kind = 'finalized')
        execute function keylift.test_fail()`,
    ]) {
      await scenario.db.query(trigger);
      expect((await scenario.run('finalize --yes')).exitCode).to.equal(1);
      expect(await answers()).to.deep.equal(before);
      await scenario.db.query(
        'drop trigger if exists zz_fail on public.api_keys; drop trigger if exists zz_fail on keylift.events',
      );
    }
    await scenario.must('finalize --yes');
    expect(await answers()).to.deep.equal(before);
    await scenario.must('verify');
  });

  it('keeps an account key whose row is in the archive when custom APIs get keys with its token', async () => {
    await scenario.db.query(`
      create function keylift.test_fail() returns event_trigger language plpgsql as $$
        begin raise exception 'the server fails here'; end $$;
      create event trigger test_fail on ddl_command_start when tag in ('CREATE INDEX')
        execute function keylift.test_fail()`);
    expect((await scenario.run('finalize --yes')).exitCode).to.equal(1);
    await scenario.db.query('drop event trigger test_fail');
    expect(await scenario.db.query('select id from public.api_keys where id = 1')).to.deep.equal([]);
    const before = await answers();
    // The second one meets the first, so the mirror looks at all keys of the token.
    for (const api of [4, 5])
      await scenario.db.query(
        `insert into public.api_keys (account_id, api_id, token) values (1, ${String(api)}, '${tokenOf(1)}')`,
      );
    expect(await scenario.authorize(tokenOf(1), 2)).to.have.length(1);
    await scenario.must('finalize --yes');
    expect(await answers()).to.deep.include.members(before);
    await scenario.must('verify');
  });

  it('purges the archive and says that there is no way back', async () => {
    expect((await scenario.run('finalize --purge --yes')).exitCode, 'before finalize').to.equal(3);
    await scenario.must('finalize --yes');
    const before = await answers();
    const asked = await scenario.run('finalize --purge');
    expect([asked.exitCode, asked.stderr.includes('--yes')]).to.deep.equal([3, true]);
    const purged = await scenario.must('finalize --purge --yes');
    expect(purged.stdout).to.match(/rollback is no longer possible/);
    expect(await answers()).to.deep.equal(before);
    expect((await scenario.must('finalize --purge --yes --json')).json()).to.include({ state: 'purged', archived: 0 });
    for (const command of ['rollback --yes', 'migrate --yes', 'switch --back --yes'])
      expect((await scenario.run(command)).exitCode, command).to.equal(3);
    expect(await answers()).to.deep.equal(before);
  });

  describe('foreign keys of other tables', () => {
    const refuse = async (): Promise<string[]> => {
      const legacy = await scenario.legacyDigest();
      const { exitCode, stderr } = await scenario.run('finalize --yes');
      expect([exitCode, stderr.includes('usage_key_id_fkey')], stderr).to.deep.equal([3, true]);
      expect(await scenario.legacyDigest()).to.equal(legacy);
      return ddlOf(stderr);
    };

    for (const action of ['', ' on delete cascade', ' on delete set null', ' on update cascade on delete restrict']) {
      it(`that point at moved and merged rows${action} are listed with DDL that makes it pass`, async () => {
        await scenario.db.query(
          `create table public.usage (n int, key_id bigint references public.api_keys (id)${action});
            insert into public.usage values (1, 1), (2, 2), (21, 21), (20, 20), (22, 22), (0, null)`,
        );
        const ddl = await refuse();
        for (const sql of ddl) await scenario.db.query(sql);
        await scenario.must('finalize --yes');
        expect(await scenario.db.query('select n, key_id::int from public.usage order by n')).to.deep.equal([
          { n: 0, key_id: null },
          { n: 1, key_id: 1 },
          { n: 2, key_id: 2 },
          { n: 20, key_id: 21 },
          { n: 21, key_id: 21 },
          { n: 22, key_id: 21 },
        ]);
        const [fk] = await scenario.db.query<{ target: string; valid: boolean; definition: string }>(
          `select confrelid::regclass::text as target, convalidated as valid, pg_get_constraintdef(oid) as definition
            from pg_constraint where conname = 'usage_key_id_fkey'`,
        );
        expect(fk).to.include({ target: 'account_api_keys', valid: true });
        for (const word of action
          .toUpperCase()
          .split(/(?= ON )/)
          .filter((w) => w !== ''))
          expect(fk!.definition).to.include(word.trim());
        await scenario.must('verify');
      });
    }

    it('that point at keys which stay as well get DDL that runs, and both kinds of rows can be written after it', async () => {
      await scenario.db.query(
        `create table public.usage (n int, key_id bigint references public.api_keys (id));
          insert into public.usage values (1, 1), (3, 3), (27, 27)`,
      );
      for (const sql of await refuse()) await scenario.db.query(sql);
      await scenario.db.query('insert into public.usage values (4, 1), (5, 3)');
      await scenario.must('finalize --yes');
      await scenario.db.query('insert into public.usage values (6, 1), (7, 3)');
    });

    it('at a text column are no matter while no row uses them', async () => {
      await scenario.db.query(
        `alter table public.api_keys add column code text unique;
          create table public.usage (n int, code text references public.api_keys (code))`,
      );
      await scenario.must('finalize --yes');
    });

    it('that point only at keys which stay are no matter', async () => {
      await scenario.db.query(
        `create table public.usage (n int, key_id bigint references public.api_keys (id));
          insert into public.usage values (3, 3), (27, 27)`,
      );
      await scenario.must('finalize --yes');
    });

    it('do not lose a row that comes while finalize runs', async () => {
      await scenario.db.query(
        'create table public.usage (n int, key_id bigint references public.api_keys (id) on delete cascade)',
      );
      // Finalize has asked for foreign keys by the time its DDL waits for a writer.
      const holder = await Session.open(scenario.db);
      await holder.run('begin; update public.api_keys set name = name where id = 27');
      const finalize = scenario.start('finalize --yes');
      await keyliftWaitsFor(scenario.db, holder);
      await scenario.db.query('insert into public.usage values (1, 1)');
      await holder.run('commit');
      const { exitCode, stderr } = await finalize.ended;
      expect(await scenario.db.query('select n, key_id::int from public.usage')).to.deep.equal([{ n: 1, key_id: 1 }]);
      expect(exitCode, stderr).to.equal(3);
      for (const sql of ddlOf(stderr)) await scenario.db.query(sql);
      await scenario.must('finalize --yes');
    });
  });
});
