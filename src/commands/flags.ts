import { maskLiterals, maskWebUrl } from '../config/redact.js';
import { grouped } from '../format.js';
import { LOG_LEVELS } from '../logging/logger.js';
import { TRIGGER_DECISIONS } from '../mapping/platform-triggers.js';
import { DEFAULT_PACE } from '../run/context.js';
import { duration, file, oneOf, shortTime, webUrl, wholeNumber, word, type ReadValue } from './values.js';

/** A flag without a value; the command gets true or false. */
export interface Switch {
  describe: string;
}

/** A flag with a value; the command gets the result of `read`, or undefined. */
export interface Valued<T = unknown> {
  describe: string;
  read: ReadValue<T>;
  /** How help shows the value: `FILE`, `P%`. */
  value: string;
  /** How the ledger keeps a value that may hold a secret. Default: as it was given. */
  record?: (text: string) => string;
}

export type Flag = Switch | Valued;

/** An argument without a name. The optional ones come last; the command gets undefined for those left out. */
export type Positional = Valued & { optional?: true };

export const isValued = (flag: Flag): flag is Valued => 'read' in flag;

/** The flags of every command. */
export const GLOBAL_FLAGS = {
  config: {
    describe: 'configuration file; default: KEYLIFT_CONFIG, else keylift.config.json',
    value: 'FILE',
    read: file,
  },
  'database-url': { describe: 'postgres://…; default: DATABASE_URL, which ps does not show', value: 'URL', read: word },
  json: { describe: 'stdout is one JSON document, the rest goes to stderr' },
  'no-color': { describe: 'no colour on a terminal, as with NO_COLOR' },
  'log-file': { describe: 'append the log as JSON lines', value: 'FILE', read: file },
  'log-level': { describe: 'error, warn, info or debug; default info', value: 'LEVEL', read: oneOf(LOG_LEVELS) },
} as const satisfies Record<string, Flag>;

/** `--holds`. */
export const HOLDS = {
  describe: 'CSV of accounts or keys to leave as they are (account_id or key_id column); default: the holds in force',
  value: 'FILE',
  read: file,
} as const satisfies Flag;

/** `--accounts`. */
export const ACCOUNTS = {
  describe: 'only the accounts of this CSV (header account_id)',
  value: 'FILE',
  read: file,
} as const satisfies Flag;

/** `--triggers`. */
export const TRIGGERS = {
  describe: "fire or skip the platform's triggers on the rows; required where there are any",
  value: 'fire|skip',
  read: oneOf(TRIGGER_DECISIONS),
} as const satisfies Flag;

/** `--metrics-file`. */
export const METRICS = {
  describe: 'keep this file up to date with the run, as OpenMetrics text, for dashboards',
  value: 'FILE',
  read: file,
} as const satisfies Flag;

/** `--yes`. */
export const YES = { describe: 'do not ask; required where no person can answer' } as const satisfies Flag;

/** How many batches, and how large; times in milliseconds. A flag that is not given leaves the choice to keylift. */
export const PACE = {
  concurrency: {
    describe: `batches at once, 1 to 64; default ${String(DEFAULT_PACE.concurrency)}`,
    value: 'N',
    read: wholeNumber({ from: 1, to: 64 }),
  },
  'batch-size': {
    describe: `rows a batch at most; default ${grouped(DEFAULT_PACE.batchSize)}`,
    value: 'ROWS',
    read: wholeNumber({ from: 1, to: 10_000_000 }),
  },
  'batch-time': {
    describe: `how long a batch should take: seconds, or 500ms; default ${String(DEFAULT_PACE.batchSeconds)}`,
    value: 'TIME',
    read: duration,
  },
} as const satisfies Record<string, Flag>;

/** What a run waits for. A flag that is not given sets no limit. */
export const THROTTLE = {
  'max-lag': {
    describe: 'wait while a replica is further behind: seconds, or 500ms; default: no limit',
    value: 'TIME',
    read: duration,
  },
  'max-active': {
    describe: 'wait while more sessions than this are active, not counting those of keylift; default: no limit',
    value: 'N',
    read: wholeNumber({ from: 0, to: 100_000 }),
  },
  'throttle-query': {
    describe: 'wait while this SELECT answers with a number above 0, or does not answer within 1 s',
    value: 'SQL',
    read: word,
    record: maskLiterals,
  },
  'throttle-url': {
    describe: 'wait while this URL answers with another status than 200, or does not answer within 1 s',
    value: 'URL',
    read: webUrl,
    // `tune` also takes texts that are no URL.
    record: (text) => (URL.canParse(text) ? maskWebUrl(text) : text),
  },
  'max-latency': {
    describe: 'slow down, then wait, while 95 of 100 key lookups do not end within this time: seconds, or 2.5ms',
    value: 'TIME',
    read: shortTime,
  },
} as const satisfies Record<string, Flag>;
