/** The names of all log events; docs/logs.md explains each with its fields. */
export const LOG_EVENTS = [
  'command',
  'doubt',
  'reviewed',
  'run',
  'stage',
  'stage_done',
  'step',
  'progress',
  'batch',
  'transaction',
  'retry',
  'given_up',
  'waiting',
  'went_on',
  'lookups',
  'answer',
  'case',
  'server',
  'metrics',
  'ended',
  'failed',
] as const;
export type LogEvent = (typeof LOG_EVENTS)[number];

/** Keys with from < id <= to, ids as text; `from` is null where the first key is. */
export interface LoggedRange {
  from: string | null;
  to: string;
}

/**
 * The fields of a log line, in addition to time, level, event and message: schemas/log-line.schema.json. They hold ids,
 * counts and words, never a token.
 */
export interface LogFields extends Partial<LoggedRange> {
  run_id?: string;
  /** The current stage. */
  stage?: string;
  command?: string;
  /** The batch's number in the ledger. */
  batch?: number;
  /** The ranges of one batch. */
  ranges?: readonly LoggedRange[];
  tries?: number;
  rows?: number;
  moved?: number;
  stayed?: number;
  set_aside?: number;
  rows_per_second?: number;
  /** Duration in milliseconds. */
  ms?: number;
  /** The kind of wait. */
  kind?: string;
  reason?: string;
  sqlstate?: string;
  /** Of key lookups. */
  lookup_ms?: number | null;
  limit_ms?: number;
  samples?: number;
  /** The name of a transaction. */
  transaction?: string;
  case?: string;
  ok?: boolean;
  code?: string;
  exit_code?: number;
  /** The facts of an error. */
  facts?: Record<string, unknown>;
  /** The stack of a bug. */
  stack?: string;
}
