import { sqlStateOf } from '../database/sqlstate.js';
import type { ScopeRetryOptions } from '../database/with-retry.js';
import type { Wait } from '../database/waiting.js';
import type { Drift } from '../plan/saved/drift.js';

/** A range of the ledger as a batch claims it: keys with after < id <= upto, ids as text. */
export interface ClaimedRange {
  batch_no: string;
  after_id: string | null;
  upto_id: string;
  tries: number;
}

/** Keys, by their outcome. */
export interface Copied {
  rows: number;
  moved: number;
  stayed: number;
  setAside: number;
}

/** One line of the ledger: keys with after < id <= upto. */
export interface BatchLine extends Copied {
  batchNo: string;
  after: string | null;
  upto: string;
  /** Since the batch began. */
  seconds: number;
}

/** The result of one batch: a line for each stretch of adjacent ranges. */
export interface BatchReport extends Copied {
  seconds: number;
  ranges: number;
  lines: BatchLine[];
}

/** A failed try that is made again. */
export interface RetryEvent {
  kind: 'retry';
  text: string;
  /** The next try takes less, is the same, or is the same over a new connection. */
  reason: 'smaller' | 'again' | 'reconnect';
  /** Of the server's error; undefined where the network failed. */
  sqlstate?: string | undefined;
  /** The ranges of the batch. */
  ranges?: readonly ClaimedRange[];
}

/** How long the platform's own key lookups take, in seconds. */
export interface Lookups {
  /** The 95th percentile of the last five seconds; null until there are enough samples, and after the backfill. */
  p95: number | null;
  p95_of_all: number;
  samples: number;
  limit: number;
}

/** What happens in a run. The kinds are those of the log. */
export type RunEvent =
  /** The ledger knows the run. */
  | { kind: 'run'; runId: string; command: string }
  /** A stage begins; `note` says what is particular about it. */
  | { kind: 'stage'; stage: string; note?: string }
  | { kind: 'stage_done'; stage: string; seconds: number }
  | { kind: 'batch'; report: BatchReport }
  | RetryEvent
  /** A range failed too often; a later run tries it again. */
  | { kind: 'given_up'; range: ClaimedRange; sqlstate: string | undefined }
  /** The run waits; null: it continues. */
  | { kind: 'waiting'; wait: Wait | null }
  /** Key lookups were timed. */
  | { kind: 'lookups'; lookups: Lookups }
  /** Keys that a stage without batches has read so far. */
  | { kind: 'progress'; keys: number }
  /** A part of a stage began or ended, with the number of rows where they are counted. */
  | { kind: 'step'; text: string; rows?: number }
  /** keylift cannot know something that the operator should look at. */
  | { kind: 'doubt'; text: string }
  /** The database agrees with a saved plan, within the tolerance. */
  | { kind: 'reviewed'; drift: readonly Drift[]; madeAt: string; tolerance: string }
  /** Recorded decisions that were replayed so far. */
  | { kind: 'replayed'; decisions: number }
  /** A request of a probe was answered, or was not. */
  | { kind: 'answer'; text: string };

/** A function over events: log lines, the picture on the terminal, the waits in the ledger. */
export type RunListener = (event: RunEvent) => void;

/** All listeners as one. */
export const toAll =
  (listeners: readonly RunListener[]): RunListener =>
  (event) => {
    for (const listener of listeners) listener(event);
  };

/** A connection was lost; the same work is tried again over a new one. */
export const connectionLoss = (error: unknown): RetryEvent => ({
  kind: 'retry',
  text: 'waiting: the connection was lost; trying again',
  reason: 'reconnect',
  sqlstate: sqlStateOf((error as Error).cause),
});

/** The events of a database with retries. A page under load may wait for long; other collisions are over soon. */
export const waitsTo =
  (emit: RunListener): ScopeRetryOptions['onWait'] & {} =>
  (wait, policy) => {
    if (policy === 'underLoad') emit({ kind: 'waiting', wait });
    else if (wait !== null) emit({ kind: 'retry', text: COLLISION, reason: 'again', sqlstate: wait.sqlstate });
  };

const COLLISION = 'waiting: another session was in the way; trying again';
