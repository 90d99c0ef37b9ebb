import type { LogEvent, LogFields } from './events.js';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `message` is for people and complete; `fields` are for programs that read the log file. */
type Write = (event: LogEvent, message: string, fields?: LogFields) => void;

/** The logger of all layers. Fields hold ids, counts and fingerprints, never a token. */
export interface Logger extends Readonly<Record<LogLevel, Write>> {
  /** Adds fields to every later line of the process. */
  carry(fields: Pick<LogFields, 'run_id' | 'stage'>): void;
}
