import type { ExitCode } from '../errors/exit-codes.js';
import type { CommandContext } from './context.js';
import type { CommandDefinition } from './definition.js';
import { recordedArguments } from './recorded-arguments.js';
import { readArguments, type Arguments, type Globals } from './read-arguments.js';

/** What `src/commands/<name>.ts` exports as `run`. */
export type Run<D extends CommandDefinition> = (context: CommandContext, args: Arguments<D>) => Promise<ExitCode>;

/** A command with its arguments, ready to run. */
export interface Call {
  args: object;
  globals: Globals;
  /** The arguments as the ledger keeps them. */
  recorded: readonly string[];
  run: (context: CommandContext) => Promise<ExitCode>;
}

/** A command that can be read from a command line and run. */
export interface Command {
  definition: CommandDefinition;
  read: (raw: Record<string, unknown>, world: { cwd: string }) => Call | { faults: readonly string[] };
}

/**
 * Binds a definition to the module that runs it. The module is imported when the command is called, so that --help
 * does not wait for pg and knex. The compiler holds the module's `run` to the arguments of the definition.
 */
export function bind<D extends CommandDefinition>(definition: D, load: () => Promise<{ run: Run<D> }>): Command {
  return {
    definition,
    read: (raw, world) => {
      const reading = readArguments(definition, raw, world);
      if ('faults' in reading) return reading;
      return {
        ...reading,
        recorded: recordedArguments(definition, raw),
        run: async (context) => (await load()).run(context, reading.args),
      };
    },
  };
}
