/** Everything that the log can tell, by name; docs/logs.md says what each means and brings along. */
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
  'retry',
  'given_up',
  'waiting',
  'went_on',
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
 * What a line of the log may hold beside its time, level, event and message: schemas/log-line.schema.json. Ids, counts
 * and words, never a token.
 */
export interface LogFields extends Partial<LoggedRange> {
  run_id?: string;
  /** The stage under way. */
  stage?: string;
  command?: string;
  /** The batch's number in the ledger. */
  batch?: number;
  /** Ranges that one batch had claimed. */
  ranges?: readonly LoggedRange[];
  tries?: number;
  rows?: number;
  moved?: number;
  stayed?: number;
  set_aside?: number;
  rows_per_second?: number;
  /** How long it took, in milliseconds. */
  ms?: number;
  /** What is waited for, by kind. */
  kind?: string;
  reason?: string;
  sqlstate?: string;
  case?: string;
  ok?: boolean;
  code?: string;
  exit_code?: number;
  /** What an error says of itself. */
  facts?: Record<string, unknown>;
  /** A bug's. */
  stack?: string;
}
