import { EXIT, type ExitCode } from '../errors.js';
import { LOG_LEVELS } from '../logging/logger.js';
import { file, oneOf, word, type ReadValue } from './values.js';

/** A flag that is there or not; the command gets true or false. */
export interface Switch {
  describe: string;
}

/** A flag with a value; the command gets what `read` makes of it, or undefined. */
export interface Valued {
  describe: string;
  read: ReadValue<unknown>;
  /** How help shows the value: `FILE`, `P%`. */
  value: string;
}

export type Flag = Switch | Valued;

/** A word behind the command. Those that may be left out stand last; the command gets undefined then. */
export type Positional = Valued & { optional?: true };

/** A command as help and the parser see it. This module and its like import nothing heavy: --help must be quick. */
export interface CommandDefinition {
  name: string;
  describe: string;
  positionals?: Record<string, Positional>;
  flags: Record<string, Flag>;
  /** Flags of which one may be given at most. */
  exclusive?: readonly (readonly string[])[];
  /** What is wrong with the flags as a whole, or undefined; it sees the names of those given. */
  fault?: (given: ReadonlySet<string>) => string | undefined;
  /** Command lines without `keylift`, each with what it does. */
  examples: readonly (readonly [string, string])[];
  exits: readonly ExitCode[];
  needsDatabase: boolean;
  /** False for a command that writes the configuration: its file need not be there. */
  readsConfiguration?: boolean;
}

export const isValued = (flag: Flag): flag is Valued => 'read' in flag;

/** The flags of every command. */
export const GLOBAL_FLAGS: Record<string, Flag> = {
  config: { describe: 'configuration file (KEYLIFT_CONFIG; else keylift.config.json)', value: 'FILE', read: file },
  'database-url': { describe: 'postgres://… (better: DATABASE_URL, which ps does not show)', value: 'URL', read: word },
  json: { describe: 'stdout is one JSON document, the rest goes to stderr' },
  'no-color': { describe: 'no colour on a terminal, as with NO_COLOR' },
  'log-file': { describe: 'append the log as JSON lines', value: 'FILE', read: file },
  'log-level': { describe: 'error, warn, info or debug; default info', value: 'LEVEL', read: oneOf(LOG_LEVELS) },
};

export const EXIT_MEANINGS: Record<ExitCode, string> = {
  [EXIT.done]: 'done',
  [EXIT.bug]: 'unexpected error',
  [EXIT.usage]: 'usage or configuration (a wrong password, database or column among them)',
  [EXIT.refused]: 'refused by a gate (preflight, missing confirmation, another owner)',
  [EXIT.differences]: 'verification found differences',
  [EXIT.unreachable]: 'the database cannot be reached, or stopped with work left: run again to resume',
  [EXIT.exceptions]: 'done, exceptions wait for a person',
  [EXIT.interrupted]: 'interrupted, resumable',
};
