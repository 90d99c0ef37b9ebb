import yargs, { type Argv } from 'yargs';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { Call, Command } from './command.js';
import { commandLineFaults } from './command-line-faults.js';
import { EXIT_MEANINGS, type CommandDefinition } from './definition.js';
import { COLUMNS } from '../console/layout.js';
import { GLOBAL_FLAGS, isValued, type Flag } from './flags.js';

export interface ParseWorld {
  cwd: string;
  version: string;
  commands: readonly Command[];
  /** What `keylift --help` prints. */
  overview: string;
  /** Of the terminal that shows a help; undefined where there is none. */
  columns?: number | undefined;
}

/** The meaning of a command line: a text (help, version), or a command with its arguments. */
export type Invocation =
  { kind: 'text'; text: string } | { kind: 'command'; definition: CommandDefinition; call: Call };

const EVERY = 'Flags of every command:';

/** A message of yargs about a wrong command line. */
class ParserFault extends Error {}

/**
 * Reads a command line without running anything. keylift checks its form before yargs does: yargs reports one fault
 * only, accepts anything after `--` and takes `--json=no` for a value.
 *
 * @throws `usage` with every fault
 */
export function parseInvocation(given: readonly string[], world: ParseWorld): Invocation {
  const argv = withLongFlags(given[0] === 'help' ? [...given.slice(1), '--help'] : given);
  const definitions = world.commands.map(({ definition }) => definition);
  const formFaults = commandLineFaults(argv, definitions);
  if (formFaults.length > 0) throw usage(formFaults, { argv, definitions });
  let chosen: { command: Command; raw: Record<string, unknown> } | undefined;
  let text = '';
  const parser = buildParser(world, (command, raw) => {
    chosen = { command, raw };
  });
  try {
    void parser.parse(
      argv.filter((word) => word !== '--'),
      {},
      (_error: unknown, _args: unknown, output: string) => {
        text = output;
      },
    );
  } catch (error) {
    if (error instanceof ParserFault) throw usage([error.message], { argv, definitions });
    throw error;
  }
  if (chosen === undefined) {
    return { kind: 'text', text: asksForOverview(argv, definitions) ? world.overview : `${text}\n` };
  }
  const { command, raw } = chosen;
  const call = command.read(raw, world);
  if ('faults' in call) throw usage(call.faults, { argv, definitions });
  return { kind: 'command', definition: command.definition, call };
}

const LONG_FLAGS: Record<string, string> = { '-h': '--help', '-v': '--version' };

/** With `--help` for `-h` and `--version` for `-v`. After `--` there are no flags. */
function withLongFlags(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  return argv.map((word, at) => (end === -1 || at < end ? (LONG_FLAGS[word] ?? word) : word));
}

/** True for a line of flags only, with --help. */
const asksForOverview = (argv: readonly string[], definitions: readonly CommandDefinition[]): boolean =>
  argv.includes('--help') && !argv.includes('--version') && !definitions.some(({ name }) => argv.includes(name));

function usage(
  faults: readonly string[],
  { argv, definitions }: { argv: readonly string[]; definitions: readonly CommandDefinition[] },
): KeyliftError {
  const command = definitions.find(({ name }) => argv.includes(name))?.name;
  return keyliftError('usage', {
    message: faults.join('\n'),
    hint: `See keylift ${command === undefined ? '' : `${command} `}--help.`,
  });
}

type Choose = (command: Command, raw: Record<string, unknown>) => void;

function buildParser(world: ParseWorld, choose: Choose): Argv {
  const parser = yargs([])
    .scriptName('keylift')
    .usage('keylift <command>')
    // A translated help would differ from the documented one.
    .locale('en')
    .wrap(Math.min(COLUMNS, world.columns ?? COLUMNS))
    .parserConfiguration({
      'parse-numbers': false, // an id may be larger than a number can hold
      'parse-positional-numbers': false,
      'camel-case-expansion': false,
      'boolean-negation': false,
      'dot-notation': false,
      'duplicate-arguments-array': true, // so that a flag given twice is seen
    })
    .exitProcess(false)
    .showHelpOnFail(false)
    .strict()
    .demandCommand(1, 'name a command')
    .version(world.version)
    .alias('version', 'v')
    .help()
    .alias('help', 'h')
    .fail((message: string | null, error: Error | undefined) => {
      throw error === undefined || error.name === 'YError' ? new ParserFault(message ?? error?.message ?? '') : error;
    });
  return world.commands.reduce((built, command) => addCommand(built, command, choose), parser as Argv);
}

function addCommand(parser: Argv, command: Command, choose: Choose): Argv {
  const { definition } = command;
  const positionals = Object.entries(definition.positionals ?? {});
  const pattern = [
    definition.name,
    ...positionals.map(([name, { optional }]) => (optional === true ? `[${name}]` : `<${name}>`)),
  ].join(' ');
  return parser.command(
    pattern,
    definition.describe,
    (added) => {
      for (const [name, { describe, value }] of positionals) {
        added.positional(name, { type: 'string', describe: `${describe} [${value}]` });
      }
      for (const [name, flag] of Object.entries(definition.flags))
        addFlag(added, name, flag, `${definition.name} flags:`);
      for (const [name, flag] of Object.entries(GLOBAL_FLAGS)) addFlag(added, name, flag, EVERY);
      added.group(['help', 'version'], EVERY);
      return added.epilogue(`Examples:\n${exampleLines(definition)}\n\nExit codes:\n${exitLines(definition.exits)}`);
    },
    (raw) => {
      choose(command, raw);
    },
  );
}

function addFlag(command: Argv, name: string, flag: Flag, group: string): void {
  command.option(
    name,
    isValued(flag)
      ? { type: 'string', requiresArg: true, describe: `${flag.describe} [${flag.value}]`, group }
      : { type: 'boolean', describe: flag.describe, group },
  );
}

/** Not wrapped, so that a person can copy them. */
const exampleLines = ({ examples }: CommandDefinition): string =>
  examples.map(([line, does]) => `  keylift ${line}\n      ${does}`).join('\n');

function exitLines(exits: CommandDefinition['exits']): string {
  return [...exits]
    .sort((a, b) => a - b)
    .map((code) => `  ${String(code).padStart(3)}  ${EXIT_MEANINGS[code]}`)
    .join('\n');
}
