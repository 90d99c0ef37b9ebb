import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import type { LedgerState } from '../ledger/migration.js';
import { readSilentRun, SILENT_SECONDS, type SilentRun } from '../ledger/run-at-work.js';
import { isBegun, type StageName } from '../ledger/states.js';
import { withArchive } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readMirror, type MirrorState } from '../ledger/mirror-look.js';
import { readFacts, type Facts } from './facts.js';
import { readServerActivity, type ServerActivity } from './server.js';
import { rateOf, secondsLeft } from './time-left.js';

export type RunState = 'idle' | 'running' | 'paused' | 'waiting' | 'done' | 'rolled_back';

/** What `status --json` prints. Seconds and rates are null until they are meaningful. */
export interface Status {
  stage: string | null;
  state: RunState;
  /** Keys moved so far, and per-API keys in all. */
  moved: number;
  total: number;
  /** Keys that batches have processed, moved or not. */
  looked_at: number;
  /** Why no key moves, or what to do next; null while all is well. */
  reason: string | null;
  rows_per_second: number | null;
  /** Null until enough batches have run at a steady rate. */
  seconds_left: number | null;
  /** Average duration of the last batches. */
  batch_seconds: number | null;
  /** Batches at once, for each run. */
  concurrency: number | null;
  /** Lag of the slowest replica; null where there is none, or this role may not see it. */
  lag_seconds: number | null;
  /**
   * The platform's key lookups, which a run with --max-latency times: 95 of 100 end within `p95_seconds`. Null where
   * none are timed.
   */
  lookups: { p95_seconds: number; limit_seconds: number; samples: number } | null;
  /** What the run does besides batches: the index that it builds. */
  doing: string | null;
  batches: { done: number; open: number; failed: number };
  /** Completed stages with their duration. */
  stages: { stage: StageName; seconds: number }[];
  switched: 'none' | 'some' | 'all';
  exceptions: number;
  /** Null where no trigger of keylift need be there. */
  mirror: MirrorState | null;
  /** The leading run. `runs` includes those that help it. */
  run: {
    id: string;
    command: string;
    host: string;
    pid: number;
    started_at: string;
    until: string | null;
    runs: number;
    /** The last heartbeat: ISO 8601, and its age in seconds. */
    heartbeat_at: string;
    heartbeat_seconds: number;
  } | null;
  /** The latest run, if its process went silent before it ended; null while a run is active. */
  silent_run: SilentRun | null;
}

/** Reads the ledger. Writes and creates nothing, even where keylift was never installed. */
export async function readStatus(session: ReadSession, schema: MappedSchema, known?: Installed): Promise<Status> {
  const installed = known ?? (await readInstalled(session, schema.settings));
  const { state } = installed;
  const { legacy: l } = schema;
  if (!isBegun(state)) {
    const { total } = await session.one<{ total: string }>(
      `SELECT count(*) AS total FROM ${l.keys} k WHERE ${l.isPerApiKey()}`,
    );
    return {
      ...NOTHING,
      total: Number(total),
      state: state === null ? 'idle' : 'rolled_back',
      reason: state === null ? 'there is no migration yet' : 'rolled back; keylift migrate starts a new attempt',
    };
  }
  const facts = await readFacts(session);
  const silent = facts.run_id === null ? await readSilentRun(session) : null;
  const activity = facts.run_id === null ? NO_RUN : await readServerActivity(session, l.target);
  const counts = await countKeys(session, schema, { facts, installed });
  const mirror = await readMirror(session, schema, installed);
  return describe({ state, mirror, facts, silent, activity, counts });
}

const NOTHING: Status = {
  stage: null,
  state: 'idle',
  moved: 0,
  total: 0,
  looked_at: 0,
  reason: null,
  rows_per_second: null,
  seconds_left: null,
  batch_seconds: null,
  concurrency: null,
  lag_seconds: null,
  lookups: null,
  doing: null,
  batches: { done: 0, open: 0, failed: 0 },
  stages: [],
  switched: 'none',
  exceptions: 0,
  mirror: null,
  run: null,
  silent_run: null,
};

/** Without an active run there is no lag and no index build to report. */
const NO_RUN: ServerActivity = { lag: null, building: null };

async function countKeys(
  session: ReadSession,
  mapped: MappedSchema,
  { facts, installed }: { facts: Facts; installed: Installed },
): Promise<{ moved: number; total: number }> {
  // Finalized rows count as what they were: per-API keys that moved.
  const { legacy: l } = await withArchive(session, mapped, installed);
  // While batches run their ledger lines are exact and cheap; at rest the tables themselves are asked.
  if (Number(facts.open) > 0) {
    const { total } = await session.one<{ total: string }>(
      `SELECT count(*) AS total FROM ${l.keys} k WHERE ${l.isPerApiKey()}`,
    );
    return { moved: Number(facts.done_moved), total: Number(total) };
  }
  const moved = installed.target ? `(SELECT count(*) FROM ${l.target} WHERE origin_api_id IS NOT NULL)` : '0';
  const row = await session.one<{ moved: string; total: string }>(
    sql`
      SELECT ${moved} AS moved, (SELECT count(*) FROM ${l.keys} k WHERE ${l.isPerApiKey()}) AS total`,
  );
  return { moved: Number(row.moved), total: Number(row.total) };
}

interface StatusInput {
  state: LedgerState;
  mirror: MirrorState | null;
  facts: Facts;
  silent: SilentRun | null;
  activity: ServerActivity;
  counts: { moved: number; total: number };
}

function describe({ state, mirror, facts, silent, activity, counts }: StatusInput): Status {
  return {
    ...counts,
    ...(facts.run_id === null
      ? { rows_per_second: null, seconds_left: null, batch_seconds: null, concurrency: null }
      : paceOf(facts, counts)),
    looked_at: Number(facts.done_rows),
    stage: state.stage,
    state: stateOf(state, facts),
    reason: reasonOf({ state, mirror, facts, silent }),
    lag_seconds: activity.lag,
    lookups: lookupsOf(facts),
    doing: activity.building,
    batches: {
      done: Number(facts.done),
      open: Number(facts.open) - Number(facts.failed),
      failed: Number(facts.failed),
    },
    stages: facts.stages,
    switched: facts.mode,
    exceptions: Number(facts.exceptions),
    mirror,
    run: runOf(facts),
    silent_run: silent,
  };
}

function paceOf(
  facts: Facts,
  { total }: { total: number },
): Pick<Status, 'rows_per_second' | 'seconds_left' | 'batch_seconds' | 'concurrency'> {
  const longer = {
    batches: Number(facts.longer_batches),
    rows: Number(facts.longer_rows),
    seconds: facts.longer_seconds,
  };
  const latest = {
    batches: Number(facts.latest_batches),
    rows: Number(facts.latest_rows),
    seconds: facts.latest_seconds,
  };
  const rate = rateOf(longer);
  return {
    rows_per_second: rate === null ? null : Math.round(rate),
    seconds_left: Number(facts.open) === 0 ? null : secondsLeft(total - Number(facts.done_rows), { longer, latest }),
    batch_seconds: facts.batch_seconds === null ? null : Math.round(facts.batch_seconds * 1000) / 1000,
    concurrency: facts.concurrency,
  };
}

function lookupsOf({ run_id: id, lookups }: Facts): Status['lookups'] {
  if (id === null || lookups?.p95 == null) return null;
  return { p95_seconds: lookups.p95, limit_seconds: lookups.limit, samples: lookups.samples };
}

function runOf({ run_id: id, pace, runs, ...facts }: Facts): Status['run'] {
  if (id === null) return null;
  const { command, host, pid, started_at, heartbeat_at, heartbeat_seconds } = facts;
  const until = pace?.until ?? null;
  return { id, command, host, pid, started_at, until, runs: Number(runs), heartbeat_at, heartbeat_seconds };
}

/** A killed run has no end in the ledger. The reason names it, because it changes what the operator looks for. */
const silentText = ({ command, host, pid, heartbeat_at }: SilentRun): string =>
  `the run ${command} on ${host}, process ${String(pid)}, is silent since ${heartbeat_at}; `;

function stateOf(state: LedgerState, facts: Facts): RunState {
  if (facts.run_id !== null) return facts.paused ? 'paused' : facts.waiting_for !== null ? 'waiting' : 'running';
  if (facts.paused) return 'paused';
  if (['rolling_back', 'restoring', 'finalizing'].includes(state.state)) return 'idle';
  return state.stage === 'switch' || state.stage === 'finalize' ? 'done' : 'idle';
}

function reasonOf({ state, mirror, facts, silent }: Omit<StatusInput, 'activity' | 'counts'>): string | null {
  if (mirror?.ok === false)
    return `changes of one table do not all reach the other: ${mirror.faults[0]!}; run keylift repair`;
  const reason = stateReason(state, facts);
  return reason === null || silent === null || facts.paused ? reason : silentText(silent) + reason;
}

/** A heartbeat comes every two seconds. A run without one may be dead; its lease ends soon. */
const silenceOf = ({ heartbeat_seconds: age }: Facts): string | null =>
  age > SILENT_SECONDS ? `no heartbeat for ${String(age)} s: the process may be stopped or dead` : null;

function stateReason(state: LedgerState, facts: Facts): string | null {
  if (facts.paused) return 'paused by an operator; to continue: keylift resume';
  if (facts.run_id !== null) return facts.waiting_for ?? silenceOf(facts);
  if (state.state === 'finalizing')
    return 'a finalize was interrupted; run keylift finalize again, or keylift rollback';
  if (state.state === 'rolling_back' || state.state === 'restoring')
    return 'a rollback was interrupted; run keylift rollback again';
  if (Number(facts.failed) > 0) return `${facts.failed} batches failed; run keylift migrate again`;
  if (state.stage === 'switch' || state.stage === 'finalize') return null;
  // `migrate` would switch all accounts, so an operator who switches cohorts needs both commands here.
  if (state.stage === 'verify')
    return 'no run is active; proven; next: keylift switch for some accounts, keylift migrate for all';
  return 'no run is active; to continue: keylift migrate';
}
