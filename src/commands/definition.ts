import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import type { Positional, Flag } from './flags.js';

/** A command as help, documents, completion and the parser see it. Imports nothing heavy, so that --help is quick. */
export interface CommandDefinition {
  name: string;
  /** For the overview: one line of about 50 columns. */
  brief: string;
  /** For the command's own help. */
  describe: string;
  positionals?: Record<string, Positional>;
  flags: Record<string, Flag>;
  /** Flags that exclude each other. */
  exclusive?: readonly (readonly string[])[];
  /** What is wrong with the flags as a whole, or undefined. Gets the names of the flags that are given. */
  fault?: (given: ReadonlySet<string>) => string | undefined;
  /** Command lines without `keylift`, each with what it does. */
  examples: readonly (readonly [string, string])[];
  exits: readonly ExitCode[];
  needsDatabase: boolean;
  /** False for a command that does not need a configuration file. */
  readsConfiguration?: boolean;
}

/** Keeps the exact type of a definition: the arguments of its command are derived from it. */
export const define = <const D extends CommandDefinition>(definition: D): D => definition;

/** Each exit code with its meaning, as help and documents print it. */
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
