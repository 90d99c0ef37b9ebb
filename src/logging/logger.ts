import type { LogEvent, LogFields } from './events.js';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** `message` is for people and says all of it; `fields` say it to programs, in the file. */
type Write = (event: LogEvent, message: string, fields?: LogFields) => void;

/** What every layer logs through. Fields hold ids, counts and fingerprints, never a token. */
export interface Logger extends Readonly<Record<LogLevel, Write>> {
  /** Every line from here on, of the whole process, has these fields. */
  carry(fields: Pick<LogFields, 'run_id' | 'stage'>): void;
}
