import { access } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario, type Ended } from '../support/scenario.js';
import { until, waitingSessions } from '../support/waiting.js';

/** What a stop may leave: the ledger, the account keys, and the year in which key 1 was used by both tables. */
const NOW = `
  select m.state, m.stage, s.mode,
    (select count(*)::int from keylift.proofs) as proofs,
    (select count(*)::int from public.account_api_keys where origin_api_id is not null) as account_keys,
    array(select to_char(used, 'YYYY') from (select last_used_at as used from public.api_keys where id = 1
      union all select last_used_at from public.account_api_keys where id = 1) both_tables) as used
  from keylift.migration m, keylift.switch_rule s`;

const USED_IN_SETTINGS = `update public.account_api_keys set last_used_at = '2031-01-01' where id = 1`;
const ROW_1 = 'select from public.api_keys where id = 1 for update';
const KEY_1 = 'select from public.account_api_keys where id = 1 for update';
const RULE = 'select from keylift.switch_rule for update';
const PROOF = 'lock keylift.proof_duplicates in access exclusive mode';

interface Stopped {
  what: string;
  /** Commands, and statements of the platform. */
  before: string[];
  line: string;
  /** Holds the command at a known point. */
  lock: string;
  /** The command ends while the lock is held: it gives way, and does not try again. */
  held?: true;
  /** What is kept of its work. */
  kept: Record<string, unknown>;
  /** The end of the same command, run again. */
  exit: number;
  after: Record<string, unknown>;
}

const CASES: Stopped[] = [
  {
    what: 'migrate in its proof',
    before: ['migrate --yes --until harden'],
    line: 'migrate --yes',
    lock: PROOF,
    kept: { stage: 'harden', proofs: 0, mode: 'none' },
    exit: 6,
    after: { stage: 'switch', mode: 'all' },
  },
  {
    what: 'migrate after its last transaction',
    before: ['migrate --yes --until verify'],
    line: 'migrate --yes',
    lock: RULE,
    kept: { stage: 'switch', mode: 'all' },
    exit: 6,
    after: { stage: 'switch', mode: 'all' },
  },
  {
    what: 'verify',
    before: ['migrate --yes'],
    line: 'verify',
    lock: PROOF,
    kept: { proofs: 1 },
    exit: 0,
    after: { proofs: 2 },
  },
  {
    what: 'switch while it synchronises last use',
    before: ['migrate --yes --until verify', USED_IN_SETTINGS],
    line: 'switch --all --yes',
    lock: ROW_1,
    held: true,
    kept: { stage: 'verify', mode: 'none', used: ['2022', '2031'] },
    exit: 0,
    after: { stage: 'switch', mode: 'all', used: ['2031', '2031'] },
  },
  {
    what: 'switch --back while it synchronises last use',
    before: ['migrate --yes', USED_IN_SETTINGS],
    line: 'switch --all --back --yes',
    lock: ROW_1,
    held: true,
    kept: { stage: 'verify', mode: 'none', used: ['2022', '2031'] },
    exit: 0,
    after: { stage: 'verify', mode: 'none', used: ['2031', '2031'] },
  },
  {
    what: 'rollback after it has switched back',
    before: ['migrate --yes'],
    line: 'rollback --yes',
    lock: RULE,
    kept: { state: 'rolling_back', mode: 'none', account_keys: 24 },
    exit: 0,
    after: { state: 'rolled_back', account_keys: 0 },
  },
  {
    what: 'rollback in a page of account keys',
    before: ['migrate --yes'],
    line: 'rollback --yes',
    lock: KEY_1,
    held: true,
    kept: { state: 'rolling_back', mode: 'none', account_keys: 24 },
    exit: 0,
    after: { state: 'rolled_back', account_keys: 0 },
  },
  {
    what: 'rollback in a page of the archive',
    before: ['migrate --yes', 'finalize --yes'],
    line: 'rollback --yes',
    lock: KEY_1,
    held: true,
    kept: { state: 'restoring', mode: 'all', account_keys: 24, used: ['2022'] },
    exit: 0,
    after: { state: 'rolled_back', mode: 'none', account_keys: 0 },
  },
  {
    what: 'rollback --accounts while it synchronises last use',
    before: ['migrate --yes', USED_IN_SETTINGS],
    line: 'rollback --yes --accounts FILE',
    lock: ROW_1,
    held: true,
    kept: { state: 'active', account_keys: 24 },
    exit: 0,
    after: { state: 'active', account_keys: 17 },
  },
  {
    what: 'finalize in a page of the archive',
    before: ['migrate --yes'],
    line: 'finalize --yes',
    lock: ROW_1,
    held: true,
    kept: { state: 'finalizing', proofs: 2 },
    exit: 0,
    after: { state: 'finalized', stage: 'finalize', used: ['2022'] },
  },
  {
    what: 'finalize in a step of DDL',
    before: ['migrate --yes'],
    line: 'finalize --yes',
    lock: 'lock table public.account_api_keys in row exclusive mode',
    held: true,
    kept: { state: 'finalizing', stage: 'switch' },
    exit: 0,
    after: { state: 'finalized', stage: 'finalize' },
  },
  {
    what: 'migrate before a step of DDL',
    before: ['migrate --yes --until backfill'],
    line: 'migrate --yes',
    lock: 'lock keylift.knex_migrations_lock in access exclusive mode',
    held: true,
    kept: { stage: 'backfill' },
    exit: 6,
    after: { stage: 'switch', mode: 'all' },
  },
  {
    what: 'finalize --purge',
    before: ['migrate --yes', 'finalize --yes'],
    line: 'finalize --purge --yes',
    lock: 'lock keylift.archived_keys in access share mode',
    held: true,
    kept: { state: 'finalized' },
    exit: 0,
    after: { state: 'purged' },
  },
];

/** Commands that only read, with a table that each of them reads. */
const READERS: [line: string, table: string, exit: number][] = [
  ['plan', 'public.apis', 6],
  ['status', 'keylift.batches', 0],
  ['explain 1', 'keylift.outcomes', 0],
  ['check', 'public.accounts', 0],
  ['report FILE', 'keylift.batches', 0],
  ['snapshot export FILE', 'public.accounts', 0],
];

/** Commands in a statement that waits for a lock without a limit, so that the first signal does not end them. */
const WITHOUT_LIMIT: { line: string; lock: string; kept: Record<string, unknown> }[] = [
  { line: 'migrate --yes', lock: RULE, kept: { stage: 'verify', mode: 'none' } },
  { line: 'switch --all --yes', lock: RULE, kept: { stage: 'verify', mode: 'none' } },
  { line: 'rollback --yes', lock: RULE, kept: { state: 'rolling_back', mode: 'none', account_keys: 24 } },
  { line: 'verify', lock: PROOF, kept: { proofs: 1 } },
  { line: 'pause', lock: 'select from keylift.control for update', kept: {} },
  ...READERS.map(([line, table]) => ({ line, lock: `lock ${table} in access exclusive mode`, kept: {} })),
];

describe('a signal', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  const now = async (): Promise<Record<string, unknown>> => (await scenario.db.query(NOW))[0]!;

  /**
   * Runs the command until it waits for the lock, sends the signals, and gives the lock back before or after its end.
   */
  const stopped = async (
    { line, lock, held }: Pick<Stopped, 'line' | 'lock' | 'held'>,
    signals: NodeJS.Signals[] = ['SIGINT'],
  ): Promise<Ended> => {
    const holder = await scenario.db.connect();
    await holder.query(`begin; ${lock}`);
    const running = scenario.start(line);
    await until('it to wait for the lock', async () => (await waitingSessions(scenario.db)) > 0);
    for (const signal of signals) running.signal(signal);
    if (held !== true) await holder.query('rollback');
    const ended = await running.ended;
    if (held === true) expect(await waitingSessions(scenario.db), 'sessions that still wait').to.equal(0);
    await holder.end();
    return ended;
  };
  /** A file or folder that does not exist yet, in place of FILE. */
  const withFile = async (line: string, content?: string): Promise<{ line: string; file: string }> => {
    const marker = await scenario.file('accounts.csv', content ?? '');
    const file = content === undefined ? path.join(path.dirname(marker), 'made') : marker;
    return { line: line.replace('FILE', file), file };
  };
  const exists = (file: string): Promise<boolean> =>
    access(file).then(
      () => true,
      () => false,
    );

  for (const { what, before, line: words, lock, held, kept, exit, after } of CASES) {
    it(`stops ${what}; run again, it completes`, async () => {
      for (const step of before) await (step.includes(' --yes') ? scenario.must(step, 0, 6) : scenario.db.query(step));
      const { line } = await withFile(words, 'account_id\n1\n');
      const { exitCode, stdout, stderr } = await stopped({ line, lock, ...(held && { held }) });
      expect([exitCode, stdout], stderr).to.deep.equal([130, '']);
      expect(stderr).to.include('keylift: the command was stopped on request\n  Run the same command again');
      expect(await now()).to.deep.include(kept);
      expect(
        await scenario.db.query('select from keylift.runs where ended_at is null'),
        'runs that have not ended',
      ).to.deep.equal([]);
      await scenario.must(line, exit);
      expect(await now()).to.deep.include(after);
      if (after.state === 'rolled_back') await scenario.everyPair('none');
      else await scenario.must('verify');
    });
  }

  for (const [words, table, exit] of READERS) {
    it(`stops ${words.replace(' FILE', '')} between two statements; run again, it completes`, async () => {
      await scenario.must('migrate --yes', 6);
      const { line, file } = await withFile(words);
      const { exitCode, stdout, stderr } = await stopped({ line, lock: `lock ${table} in access exclusive mode` });
      expect([exitCode, stdout, await exists(file)], stderr).to.deep.equal([130, '', false]);
      await scenario.must(line, exit);
      expect(await exists(file)).to.equal(words.endsWith('FILE'));
    });
  }

  for (const { line: words, lock, kept } of WITHOUT_LIMIT) {
    it(`ends what the server does for ${words.replace(/ FILE| --yes/g, '')} when it comes a second time`, async () => {
      await scenario.must('migrate --yes --until verify', 6);
      const { line, file } = await withFile(words);
      const { exitCode, stdout, stderr } = await stopped({ line, lock, held: true }, ['SIGINT', 'SIGTERM']);
      expect([exitCode, stdout, await exists(file)], stderr).to.deep.equal([130, '', false]);
      expect(stderr)
        .to.include('SIGTERM again: leaving at once')
        .and.include('keylift: the command was stopped at once; uncommitted work is rolled back\n');
      expect(await now()).to.deep.include(kept);
    });
  }
});
