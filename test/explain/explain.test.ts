import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { answer, judge, readWorld, type Switched } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { STATIONS } from '../support/stations.js';
import { gateAt, until } from '../support/waiting.js';
import { explain, explainKey, withExplanations } from './explanations.js';
import { errorCodeOf } from '../support/error-document.js';

const fingerprint = (token: string): string => createHash('sha256').update(token).digest('hex').slice(0, 12);

describe('explain', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
  });
  afterEach(() => scenario.close());

  const withHolds = async (command: string): Promise<string> =>
    `${command} --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`;

  /** Every key's outcome, partner and answers as the model has them. */
  async function agreeWithModel(switched: Switched): Promise<void> {
    const world = await readWorld(scenario.db);
    const judged = judge(world, MOTLEY_HOLDS);
    // Before harden decides them, duplicates have no account key.
    const listed = new Set(
      (await scenario.db.query<{ id: string }>('select key_id::text as id from keylift.listed_keys')).map(
        ({ id }) => id,
      ),
    );
    const slugs = new Map(
      (await scenario.db.query<{ id: string; slug: string }>('select id::text, slug from public.apis')).map(
        ({ id, slug }) => [id, slug],
      ),
    );
    const stories = await withExplanations(scenario, (tell) => Promise.all(world.keys.map(({ id }) => tell(id))));
    for (const [at, key] of world.keys.entries()) {
      const story = stories[at]!;
      const { outcome, ...more } = judged.get(key.id)!;
      const keeper = 'into' in more ? more.into : outcome === 'move' ? key.id : undefined;
      expect([story.outcome, story.reason, story.account_key?.key_id], `key ${key.id}`).to.deep.equal([
        outcome,
        'reason' in more ? more.reason : null,
        listed.has(key.id) ? undefined : keeper,
      ]);
      expect(story.next, `key ${key.id}`).to.equal(null);
      const together = new Set(
        keeper === undefined
          ? [key.id]
          : [...judged].flatMap(([id, j]) => (id === keeper || ('into' in j && j.into === keeper) ? [id] : [])),
      );
      const open = (by: Switched): string[] =>
        [...world.apis.keys()]
          .filter((api) => together.has(answer({ world, judged, switched: by }, key.token, api)?.key_id ?? ''))
          .map((api) => slugs.get(api)!)
          .sort();
      // What an empty token opens is not the rules' to say: see the resolver's own tests.
      if (key.token !== '')
        expect(story.opens, `key ${key.id}`).to.deep.equal({
          before: open('none'),
          after: open('all'),
          now: open(switched),
        });
    }
  }

  it('tells every key as the rules do, at every station', async () => {
    await scenario.must(await withHolds('migrate --yes --until expand'));
    for (const [command, switched] of STATIONS.slice(1)) {
      const ended = await scenario.run(command);
      expect([0, 6], ended.stderr).to.include(ended.exitCode);
      if (command === 'rollback --yes') continue;
      if (command.endsWith('backfill') || command === 'migrate --yes') await agreeWithModel(switched);
    }
  });

  it('tells before a migration what the plan says, and leaves no trace', async () => {
    const before = await catalogDigest(scenario.db);
    const plan = (await scenario.must('plan --json', 6)).json<{
      exceptions: { key_id: string; reason: string }[];
      outcomes: Record<string, number>;
    }>();
    const counts: Record<string, number> = { move: 0, stay: 0, merge: 0, hold: 0, exception: 0 };
    const exceptions: unknown[] = [];
    const ids = await scenario.db.query<{ id: string }>('select id::text from public.api_keys order by api_keys.id');
    for (const story of await withExplanations(scenario, (tell) => Promise.all(ids.map(({ id }) => tell(id))))) {
      const { key_id: id } = story;
      counts[story.outcome]! += 1;
      if (story.outcome === 'exception') exceptions.push({ key_id: id, reason: story.reason });
      expect([story.settled, story.account_key, story.batch, story.switched, story.opens.now]).to.deep.equal([
        false,
        null,
        null,
        null,
        null,
      ]);
    }
    expect(counts).to.deep.equal(plan.outcomes);
    expect(exceptions).to.deep.equal(plan.exceptions);
    expect(await catalogDigest(scenario.db)).to.equal(before);
  });

  it('answers a role that may read the legacy tables alone, also during a migration', async () => {
    const reader = await createReader(scenario.db);
    const before = await explainKey(scenario, 20, { url: reader.url });
    expect([before.outcome, before.opens.before]).to.deep.equal(['merge', ['invoices', 'receipts']]);
    await scenario.must('migrate --yes', 6);
    expect(await explainKey(scenario, 20, { url: reader.url })).to.deep.equal(before);
    await reader.drop();
  });

  it('finds a repeated token by its fingerprint, all of its keys', async () => {
    for (const command of ['', 'migrate --yes', 'finalize --yes']) {
      if (command !== '') await scenario.must(command, 0, 6);
      const { keys, more } = await explain(scenario, fingerprint(tokenOf('twins')));
      expect(more).to.equal(false);
      expect(keys.map((k) => [k.key_id, k.outcome])).to.deep.equal([
        ['20', 'merge'],
        ['21', 'move'],
        ['22', 'merge'],
      ]);
      expect(keys.map((k) => k.shares_token_with.map((p) => p.key_id).sort())).to.deep.equal([
        ['21', '22'],
        ['20', '22'],
        ['20', '21'],
      ]);
      expect(new Set(keys.map((k) => k.fingerprint))).to.deep.equal(new Set([fingerprint(tokenOf('twins'))]));
    }
    expect((await scenario.must(`explain ${fingerprint(tokenOf('twins')).toUpperCase()}`)).stdout).to.include(
      '3 keys have this fingerprint',
    );
  });

  it('takes twelve digits for an id first', async () => {
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, token) values (123456789012, 1, 1, 'digits')`,
    );
    expect((await explain(scenario, '123456789012')).keys.map((k) => k.key_id)).to.deep.equal(['123456789012']);
  });

  for (const word of [
    '4712',
    '99999999999999999999',
    'no-such-key',
    '0123456789ab',
    "1'; drop table public.api_keys; --",
  ]) {
    it(`knows no key ${word}`, async () => {
      const { exitCode, stdout, stderr } = await scenario.run(['explain', word, '--json']);
      expect([exitCode, errorCodeOf(stdout)]).to.deep.equal([2, 'key_unknown']);
      expect(stdout).not.to.include(word);
      expect(stderr).to.include('no key has this id or fingerprint').and.not.include(word);
    });
  }

  it('follows a key through its life', async () => {
    await scenario.must('migrate --yes --until backfill', 6);
    const copied = await explainKey(scenario, 2);
    expect(copied.batch).to.include({ state: 'done', after_id: null });
    expect([copied.settled, copied.switched, copied.opens.now]).to.deep.equal([true, false, ['receipts']]);
    await scenario.must('migrate --yes', 6);
    await scenario.must('switch --cohort 50% --back --yes');
    await scenario.must('switch --all --yes');
    await scenario.db.query(
      `update public.account_api_keys set revoked_at = '2026-01-02 03:04:05.678901+00', name = 'renamed' where id = 2`,
    );
    await scenario.must('finalize --yes');
    const late = await explainKey(scenario, 2);
    expect(late.source).to.include({
      stored_in: 'archive',
      name: 'renamed',
      revoked_at: '2026-01-02T03:04:05.678901+00:00',
      created_at: '1969-12-31T23:59:59.999999+00:00',
    });
    expect(late.account_key).to.include({ key_id: '2', name: 'renamed', alive: false });
    expect(late.opens).to.deep.equal({ before: [], after: [], now: [] });
    expect(late.since.map(({ kind }) => kind)).to.include.members(['revoked', 'batch', 'switched', 'finalized']);
    expect(late.since.filter(({ kind }) => kind === 'revoked')).to.have.length(1);
    await scenario.must('finalize --purge --yes');
    expect(await explainKey(scenario, 2)).to.deep.include({
      source: null,
      outcome: 'move',
      opens: { before: [], after: [], now: [] },
    });
    expect(await explainKey(scenario, 20)).to.deep.include({
      source: null,
      outcome: 'merge',
      fingerprint: fingerprint(tokenOf('twins')),
    });
  });

  it('tells a rolled back key as planned, and what happened', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    const story = await explainKey(scenario, 1);
    expect(story).to.deep.include({ outcome: 'move', settled: false, account_key: null, switched: false });
    expect(story.batch).to.include({ state: 'taken_back' });
    expect(story.opens).to.deep.equal({
      before: ['invoices'],
      after: ['invoices', 'passport', 'receipts'],
      now: ['invoices'],
    });
    expect(story.since.map(({ kind }) => kind)).to.deep.equal(['last_used', 'switched', 'rolled_back']);
  });

  it('tells keys born in Settings', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (4, 'born here', 'born token')`,
    );
    const {
      keys: [born],
    } = await explain(scenario, fingerprint('born token'));
    expect(born).to.deep.include({
      outcome: 'born',
      settled: true,
      source: null,
      batch: null,
      account: 'dora',
      name: 'born here',
      since: [],
      opens: { before: [], after: ['invoices', 'passport', 'receipts'], now: ['invoices', 'passport', 'receipts'] },
    });
    await scenario.must('rollback --yes');
    expect((await explainKey(scenario, born!.key_id)).opens.now).to.deep.equal(['invoices', 'passport', 'receipts']);
  });

  it('tells which keys wait while a backfill is under way', async () => {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 62);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    expect(await explainKey(scenario, -5)).to.include({ outcome: 'move', settled: true });
    expect(await explainKey(scenario, '9007199254740993')).to.deep.include({
      outcome: 'move',
      settled: false,
      account_key: null,
    });
    await gate.remove();
    expect((await migration.ended).exitCode).to.equal(6);
  });

  it('says when time has changed what the rules say', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(`begin; select set_config('keylift.writer', keylift.own_write('stage', 1), true);
      update public.api_keys set revoked_at = '2022-06-01+00' where id = 27; commit`);
    const story = await explainKey(scenario, 27);
    expect([story.outcome, story.reason, story.next]).to.deep.equal([
      'exception',
      'conflicting_status',
      { outcome: 'move', reason: null },
    ]);
    await scenario.must('migrate --yes', 0, 6);
    expect(await explainKey(scenario, 27)).to.include({ outcome: 'move', next: null });
  });

  it('says after finalize what stands, since nothing looks again', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('finalize --yes');
    await scenario.db.query(`update public.api_keys set revoked_at = '2022-06-01+00' where id = 27`);
    expect(await explainKey(scenario, 27)).to.deep.include({
      outcome: 'exception',
      reason: 'conflicting_status',
      next: null,
      opens: { before: [], after: [], now: [] },
    });
  });

  it('fits 80 columns, whatever a name holds', async () => {
    await scenario.db.query(`update public.api_keys set name = repeat('long name ', 30) || e'\\e[2J\\n' where id = 21`);
    await scenario.must('migrate --yes', 6);
    await scenario.must('finalize --yes');
    for (const id of ['1', '2', '10', '20', '21', '27', '31', '44', '48', '66', '9007199254740993']) {
      const { stdout } = await scenario.must(`explain ${id}`);
      expect(
        stdout.split('\n').filter((line) => [...line].length > 80),
        `key ${id}`,
      ).to.deep.equal([]);
      expect(stdout).not.to.include('\u001b');
    }
  });
});
