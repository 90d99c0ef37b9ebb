export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

type Write = (message: string, facts?: Record<string, unknown>) => void;

/** What every layer logs through. Facts hold ids, counts and fingerprints, never a token. */
export type Logger = Readonly<Record<LogLevel, Write>>;

/** For tests and for callers without a story to tell. */
export const SILENT: Logger = { error: () => undefined, warn: () => undefined, info: () => undefined, debug: () => undefined };
