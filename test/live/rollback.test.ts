import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { plantMany, tokenOf } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';
import { keyliftWaitsFor, Session } from './sessions.js';
import { finish } from './sound.js';

const DAY = '2025-01-01 00:00:00.000001+00';
const LATER = '2026-01-01 00:00:00.000001+00';

interface Report {
  rolled_back: boolean;
  removed: number;
  born_in_settings: { key_id: string; account_id: string; name: string; fingerprint: string }[];
}

/** Comes to the stage named, by commands or by an interruption. */
const STAGES: Record<string, (scenario: Scenario) => Promise<void>> = {
  'half a backfill': halfBackfill,
  'the backfill': async (s) => {
    await s.must('migrate --yes --until backfill', 6);
  },
  harden: async (s) => {
    await s.must('migrate --yes --until harden', 6);
  },
  'half the accounts switched': async (s) => {
    await s.must('migrate --yes --until verify', 6);
    await s.must(`switch --accounts ${await s.file('half.csv', 'account_id\n1\n')} --yes`);
  },
  switch: async (s) => {
    await s.must('migrate --yes', 6);
  },
  'a finalize that failed before its first row': async (s) => {
    await s.must('migrate --yes', 6);
    await failingFinalize(s);
  },
  finalize: async (s) => {
    await s.must('migrate --yes', 6);
    await s.must('finalize --yes');
  },
  'half a rollback': async (s) => {
    await s.must('migrate --yes', 6);
    await s.db.query(`create function keylift.test_fail() returns trigger language plpgsql as $$
        begin raise exception 'the server fails here'; end $$;
      create trigger zz_fail before delete on public.account_api_keys for each row when (old.id = 30 or old.id = 60)
        execute function keylift.test_fail()`);
    expect((await s.run('rollback --yes')).exitCode).to.equal(1);
    await s.db.query('drop function keylift.test_fail() cascade');
  },
};

const BEFORE_HARDEN = ['half a backfill', 'the backfill'];

async function halfBackfill(scenario: Scenario): Promise<void> {
  await scenario.must('migrate --yes --until expand');
  const gate = await gateAt(scenario.db, 12);
  const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
  await until(
    'key 9 to be there',
    async () => (await scenario.db.query('select from public.account_api_keys where id = 9')).length === 1,
  );
  migration.signal();
  await migration.ended;
  await gate.remove();
  await scenario.endLease();
}

async function failingFinalize(scenario: Scenario): Promise<void> {
  await scenario.db.query(`create function keylift.test_fail() returns trigger language plpgsql as $$
      begin raise exception 'the server fails here'; end $$;
    create trigger zz_fail after delete on public.api_keys for each statement execute function keylift.test_fail()`);
  expect((await scenario.run('finalize --yes')).exitCode).to.equal(1);
  await scenario.db.query('drop function keylift.test_fail() cascade');
}

describe('rollback under way of life', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  for (const [what, change, rows] of [
    [
      'revoked',
      `update public.account_api_keys set revoked_at = '${DAY}' where id = 21`,
      [
        ['20', true],
        ['21', true],
        ['22', false],
      ],
    ],
    ['deleted', 'delete from public.account_api_keys where id = 21', [['22', false]]],
  ] as const) {
    it(`a row that left its twins half way does not follow their account key, which is ${what} in Settings`, async () => {
      await STAGES['half a rollback']!(scenario);
      await scenario.db.query(`update public.api_keys set token = '${tokenOf('turned')}' where id = 22`);
      await scenario.db.query(change);
      await scenario.must('rollback --yes');
      const found = await scenario.db.query<{ id: string; revoked: boolean }>(
        `select id::text, revoked_at is not null as revoked from public.api_keys where id in (20, 21, 22) order by id`,
      );
      expect(found.map(({ id, revoked }) => [id, revoked])).to.deep.equal(rows);
    });
  }

  it('gives no account key to a key that is made half way', async () => {
    await STAGES['half a rollback']!(scenario);
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, name, token)
        values (4001, 1, 2, 'new', '${tokenOf('made half way')}')`,
    );
    expect(await scenario.db.query('select from public.account_api_keys where id = 4001')).to.deep.equal([]);
    await scenario.must('rollback --yes');
    await scenario.everyPair('none');
  });

  it('takes a new per-API key with the token of a key that is still in the archive', async () => {
    await STAGES.finalize!(scenario);
    // The restored row waits; the mirror is on again by then.
    await scenario.db.query(`
      create function public.test_wait() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(7); return new; end $$;
      create trigger test_wait before insert on public.api_keys for each row when (new.id = 1)
        execute function public.test_wait()`);
    const holder = await Session.open(scenario.db);
    await holder.run('begin; select pg_advisory_xact_lock(7)');
    const rollback = scenario.start('rollback --yes --triggers fire');
    await keyliftWaitsFor(scenario.db, holder);
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, name, token) values (4001, 1, 2, 'new', '${tokenOf(1)}')`,
    );
    expect(await scenario.authorize(tokenOf(1), 3)).to.have.length(1);
    await holder.run('rollback');
    expect((await rollback.ended).exitCode).to.equal(0);
    expect(
      await scenario.db.query(`select id::int from public.api_keys where token = '${tokenOf(1)}' order by id`),
    ).to.deep.equal([{ id: 1 }, { id: 4001 }]);
    await scenario.everyPair('none');
  });

  for (const [stage, come] of Object.entries(STAGES)) {
    it(`keeps what was done in Settings after ${stage}`, async () => {
      await come(scenario);
      // Until harden is complete a moved key cannot be changed in Settings.
      const there = async (id: number) =>
        !BEFORE_HARDEN.includes(stage) &&
        (await scenario.db.query('select from public.account_api_keys where id = $1', [id])).length === 1;
      const expected: Record<string, unknown>[] = [];
      for (const [id, set, row] of [
        [1, `revoked_at = '${DAY}'`, { revoked_at: DAY }],
        [2, `name = 'renamed', expires_at = '${DAY}'`, { name: 'renamed', expires_at: DAY }],
        [7, `last_used_at = '${LATER}'`, { last_used_at: LATER }],
        [21, `revoked_at = '${DAY}', last_used_at = '${LATER}'`, { revoked_at: DAY, last_used_at: LATER }],
      ] as const) {
        if (!(await there(id))) continue;
        await scenario.db.query(`update public.account_api_keys set ${set} where id = ${String(id)}`);
        expected.push({ id, ...row });
      }
      // Twins get their account key when all batches are done.
      const gone = [...((await there(6)) ? [6] : []), ...((await there(25)) ? [25, 26] : [])];
      await scenario.db.query('delete from public.account_api_keys where id = any ($1)', [gone]);
      const born = (
        await scenario.db.query<{ id: string }>(
          `insert into public.account_api_keys (account_id, name, token) values (4, 'born', '${tokenOf('born')}')
            returning id::text`,
        )
      )[0]!;

      const report = (await scenario.must('rollback --yes --json')).json<Report>();
      expect(report.rolled_back).to.equal(true);
      expect(
        report.born_in_settings.map(({ key_id, account_id, name }) => ({ key_id, account_id, name })),
      ).to.deep.equal([{ key_id: born.id, account_id: '4', name: 'born' }]);
      expect(await scenario.db.query('select id::text from public.account_api_keys')).to.deep.equal([born]);
      for (const { id, ...row } of expected) {
        const [found] = await scenario.db.query(
          `select ${Object.keys(row)
            .map((c) => `${c}::text`)
            .join(', ')} from public.api_keys where id = $1`,
          [id],
        );
        expect(found, `key ${String(id)}`).to.deep.equal(row);
      }
      expect(await scenario.db.query('select id from public.api_keys where id = any ($1)', [gone])).to.deep.equal([]);
      if (
        await scenario.db
          .query(`select to_regclass('keylift.archived_keys') is null as gone`)
          .then(([row]) => row!.gone as boolean)
      )
        await scenario.everyPair('none');
      expect((await scenario.must('rollback --yes --json')).json<Report>()).to.deep.include({
        rolled_back: false,
        removed: 0,
      });
      await finish(scenario);
      expect(await scenario.settings(4)).to.deep.include((await scenario.settings(4)).find(({ id }) => id === born.id));
      expect(await scenario.authorize(tokenOf('born'), 2)).to.have.length(1);
    });
  }

  it('brings back half a finalize of several pages, twins of two pages included', async () => {
    const many = await Scenario.open();
    try {
      await plantMany(many.db, { keys: 24_000 });
      await many.db.query(`update public.api_keys set token = 'far twins', account_id = 1, api_id = 1 + id / 72000,
          revoked_at = null where id in (3, 72000);
        update public.api_keys set api_id = 2 where id = 72000`);
      await many.must('migrate --yes');
      await many.db.query(`create function keylift.test_fail() returns trigger language plpgsql as $$
          begin raise exception 'the server fails here'; end $$;
        create trigger zz_fail before delete on public.api_keys for each row when (old.id = 71997)
          execute function keylift.test_fail()`);
      expect((await many.run('finalize --yes')).exitCode).to.equal(1);
      await many.db.query('drop function keylift.test_fail() cascade');
      expect((await many.db.query('select count(*)::int as n from keylift.archived_keys'))[0]!.n).to.be.greaterThan(
        15_000,
      );
      const [opens] = await many.authorize('far twins', 3);
      expect(opens).to.include({ key_id: '3', source: 'account' });
      // The old release goes on while finalize stands half way.
      await many.db.query(`update public.api_keys set name = name || '!' where id = 72000`);
      const met = await many.db.query(`update public.api_keys set revoked_at = '${DAY}' where id = 72000 returning id`);
      await many.must('rollback --yes');
      expect(
        await many.db.query(`select id::int, revoked_at::text from public.api_keys where id in (3, 72000) order by id`),
      ).to.deep.equal([
        { id: 3, revoked_at: null },
        { id: 72000, revoked_at: met.length === 1 ? DAY : null },
      ]);
      await many.must('migrate --yes', 0, 6);
      await many.must('finalize --yes');
      await many.must('rollback --yes');
    } finally {
      await many.close();
    }
  });

  it('takes only the accounts named back, keeps what they did, and brings them again with the next migrate', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('born')}'), (2,
        'other', '${tokenOf('other')}')`,
    );
    await scenario.db.query(
      `update public.account_api_keys set revoked_at = '${DAY}', last_used_at = '${LATER}' where id = 1;
        update public.account_api_keys set name = 'renamed' where id = 2`,
    );
    const file = await scenario.file('accounts.csv', 'account_id\n1\n3\n');
    const report = (await scenario.must(`rollback --accounts ${file} --yes --json`)).json<Report>();
    expect(report.born_in_settings.map(({ name }) => name)).to.deep.equal(['born']);
    expect(report.removed).to.be.greaterThan(3);
    expect(
      await scenario.db.query(
        `select name, revoked_at::text, last_used_at::text from public.api_keys where id in (1, 2) order by id`,
      ),
    ).to.deep.equal([
      { name: 'invoice-api-key', revoked_at: DAY, last_used_at: LATER },
      { name: 'renamed', revoked_at: null, last_used_at: null },
    ]);
    await scenario.everyPair(new Set(['2', '4', '5']));
    expect(await scenario.authorize(tokenOf('born'), 2)).to.have.length(1);
    await scenario.must('verify');
    expect((await scenario.must(`rollback --accounts ${file} --yes --json`)).json<Report>().removed).to.equal(0);
    await scenario.must('migrate --yes', 6);
    await scenario.everyPair('all');
    await scenario.must('verify');
  });

  it('is refused after a purge', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('finalize --yes');
    await scenario.must('finalize --purge --yes');
    const before = await scenario.legacyDigest();
    const { exitCode, stderr } = await scenario.run('rollback --yes');
    expect([exitCode, stderr.includes('purge')]).to.deep.equal([3, true]);
    expect(await scenario.legacyDigest()).to.equal(before);
    expect(await scenario.authorize(tokenOf(1), 2)).to.have.length(1);
  });

  for (const column of ['id', 'token']) {
    it(`is refused before anything is taken back while an empty table needs the unique ${column}`, async () => {
      await scenario.must('migrate --yes', 6);
      await scenario.db.query(
        `create table public.usage (n int, key ${column === 'id' ? 'bigint' : 'text'}
          references public.account_api_keys (${column}) deferrable initially deferred)`,
      );
      const { exitCode, stderr } = await scenario.run('rollback --yes');
      expect([exitCode, stderr.includes('public.usage: usage_key_fkey')], stderr).to.deep.equal([3, true]);
      await scenario.everyPair('all');
      for (const sql of ddlOf(stderr)) await scenario.db.query(sql);
      await scenario.must('rollback --yes');
      await scenario.everyPair('none');
    });
  }

  for (const action of ['', ' on delete cascade', ' on delete set null']) {
    it(`loses no row of another table that was repointed at the account keys${action}`, async () => {
      await scenario.db.query(
        `create table public.usage (n int, key_id bigint references public.api_keys (id)${action});
          insert into public.usage values (1, 1), (2, 2), (21, 21), (20, 20)`,
      );
      await scenario.must('migrate --yes', 6);
      const refused = await scenario.run('finalize --yes');
      for (const sql of ddlOf(refused.stderr)) await scenario.db.query(sql);
      await scenario.must('finalize --yes');
      const usage = () => scenario.db.query('select n, key_id::int from public.usage order by n');
      const before = await usage();
      const back = await scenario.run('rollback --yes');
      expect(await usage()).to.deep.equal(before);
      expect(back.exitCode, back.stderr).to.be.oneOf([0, 3]);
      if (back.exitCode === 3) {
        for (const sql of ddlOf(back.stderr)) await scenario.db.query(sql);
        await scenario.must('rollback --yes');
        expect(await usage()).to.deep.equal(before);
      }
      await scenario.everyPair('none');
    });
  }
});

const ddlOf = (stderr: string): string[] =>
  stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(ALTER|UPDATE)\b/.test(line));
