import type { ReadSession } from '../database/session.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import type { LedgerState } from '../ledger/migration.js';
import { isBegun, type StageName } from '../ledger/states.js';
import { withArchive } from '../mapping/archive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { readFacts, type Facts } from './facts.js';
import { readSurroundings, type Surroundings } from './surroundings.js';
import { rateOf, secondsLeft } from './time-left.js';

export type RunState = 'idle' | 'running' | 'paused' | 'waiting' | 'done' | 'rolled_back';

/** What `status --json` prints. Seconds and rates are null until they mean something. */
export interface Status {
  stage: string | null;
  state: RunState;
  /** Keys moved so far, and per-API keys in all. */
  moved: number;
  total: number;
  /** Keys that batches have accounted for, moved or not. */
  looked_at: number;
  /** Why nothing moves, or what to do next; null while all is well. */
  reason: string | null;
  rows_per_second: number | null;
  /** Null until batches enough have run at a steady pace. */
  seconds_left: number | null;
  /** What the last batches took on average. */
  batch_seconds: number | null;
  /** Batches at once, for each run. */
  concurrency: number | null;
  /** How far the furthest replica is behind; null where there is none, or this role may not look. */
  lag_seconds: number | null;
  /** What the run is at beside batches: an index that is built. */
  doing: string | null;
  batches: { done: number; open: number; failed: number };
  /** Stages completed, and what they took. */
  stages: { stage: StageName; seconds: number }[];
  switched: 'none' | 'some' | 'all';
  exceptions: number;
  /** The run that leads; `runs` counts those that help it, too. */
  run: {
    id: string;
    command: string;
    host: string;
    pid: number;
    started_at: string;
    until: string | null;
    runs: number;
  } | null;
}

/** Reads the ledger; writes nothing and creates nothing, also where keylift was never installed. */
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
      reason: state === null ? 'nothing was migrated yet' : 'taken back; migrate starts afresh',
    };
  }
  const facts = await readFacts(session);
  const surroundings = facts.run_id === null ? NOBODY : await readSurroundings(session, l.target);
  return describe({ state, facts, surroundings, counts: await countKeys(session, schema, { facts, installed }) });
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
  doing: null,
  batches: { done: 0, open: 0, failed: 0 },
  stages: [],
  switched: 'none',
  exceptions: 0,
  run: null,
};

/** At rest nobody waits for a replica or an index. */
const NOBODY: Surroundings = { lag: null, building: null };

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
  const row = await session.one<{ moved: string; total: string }>(
    `SELECT ${installed.target ? `(SELECT count(*) FROM ${l.target} WHERE origin_api_id IS NOT NULL)` : '0'} AS moved, (SELECT count(*) FROM ${l.keys} k WHERE ${l.isPerApiKey()}) AS total`,
  );
  return { moved: Number(row.moved), total: Number(row.total) };
}

interface World {
  state: LedgerState;
  facts: Facts;
  surroundings: Surroundings;
  counts: { moved: number; total: number };
}

function describe({ state, facts, surroundings, counts }: World): Status {
  return {
    ...counts,
    ...(facts.run_id === null
      ? { rows_per_second: null, seconds_left: null, batch_seconds: null, concurrency: null }
      : paceOf(facts, counts)),
    looked_at: Number(facts.done_rows),
    stage: state.stage,
    state: stateOf(state, facts),
    reason: reasonOf(state, facts),
    lag_seconds: surroundings.lag,
    doing: surroundings.building,
    batches: {
      done: Number(facts.done),
      open: Number(facts.open) - Number(facts.failed),
      failed: Number(facts.failed),
    },
    stages: facts.stages,
    switched: facts.mode,
    exceptions: Number(facts.exceptions),
    run: runOf(facts),
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

function runOf({ run_id: id, command, host, pid, started_at, pace, runs }: Facts): Status['run'] {
  return id === null ? null : { id, command, host, pid, started_at, until: pace?.until ?? null, runs: Number(runs) };
}

function stateOf(state: LedgerState, facts: Facts): RunState {
  if (facts.run_id !== null) return facts.paused ? 'paused' : facts.waiting_for !== null ? 'waiting' : 'running';
  if (facts.paused) return 'paused';
  if (['rolling_back', 'restoring', 'finalizing'].includes(state.state)) return 'idle';
  return state.stage === 'switch' || state.stage === 'finalize' ? 'done' : 'idle';
}

function reasonOf(state: LedgerState, facts: Facts): string | null {
  if (facts.paused) return 'paused by an operator; keylift resume goes on';
  if (facts.run_id !== null) return facts.waiting_for;
  if (state.state === 'finalizing')
    return 'a finalize was interrupted; run keylift finalize again, or keylift rollback';
  if (state.state === 'rolling_back' || state.state === 'restoring')
    return 'a rollback was interrupted; run keylift rollback again';
  if (Number(facts.failed) > 0) return `${facts.failed} batches failed; run keylift migrate again`;
  if (state.stage === 'switch' || state.stage === 'finalize') return null;
  // What goes on from here would switch everybody: whoever goes by cohorts must not be led there.
  if (state.stage === 'verify')
    return 'no run is at work; proven: keylift switch widens the scope, keylift migrate for every account';
  return 'no run is at work; keylift migrate goes on';
}
