import { didYouMean } from '../config/did-you-mean.js';
import type { CommandDefinition } from './definition.js';
import { GLOBAL_FLAGS, isValued, type Flag } from './flags.js';

interface Split {
  flags: string[];
  /** Sentences about flags without a required value, or with a value they do not take. */
  misused: string[];
  /** All that is neither a flag nor a flag's value. */
  words: string[];
}

/** Every fault in the form of a command line, as sentences with suggestions. */
export function commandLineFaults(argv: readonly string[], commands: readonly CommandDefinition[]): string[] {
  const {
    flags,
    misused,
    words: [command, ...words],
  } = split(argv, commands);
  const definition = commands.find(({ name }) => name === command);
  if (command !== undefined && definition === undefined) {
    return [
      `unknown command ${JSON.stringify(command)}${suggestion(
        command,
        commands.map(({ name }) => name),
      )}`,
    ];
  }
  if (flags.includes('--help') || flags.includes('--version')) return [];
  const known = [...Object.keys({ ...definition?.flags, ...GLOBAL_FLAGS }), 'help', 'version'];
  const positionals = Object.entries(definition?.positionals ?? {});
  const unknown = flags.filter((flag) => !flag.startsWith('--') || !known.includes(flag.slice(2)));
  return [
    ...(definition === undefined ? ['name a command'] : []),
    ...unknown.map((flag) => `unknown flag ${flag}${suggestion(flag.replace(/^-+/, ''), known, '--')}`),
    ...misused,
    ...positionals
      .slice(words.length)
      .filter(([, { optional }]) => optional !== true)
      .map(([name, { describe }]) => `<${name}> is missing: ${describe}`),
    ...words.slice(positionals.length).map((word) => `unexpected argument ${JSON.stringify(word)}`),
  ];
}

function split(argv: readonly string[], commands: readonly CommandDefinition[]): Split {
  const known = new Map<string, Flag>(
    [...commands.map(({ flags }) => flags), GLOBAL_FLAGS].flatMap((flags) => Object.entries(flags)),
  );
  const found: Split = { flags: [], misused: [], words: [] };
  const rest = [...argv];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const flag = /^-{1,2}[^=\d-][^=]*/.exec(word)?.[0];
    if (word === '--') takeRest(rest.splice(0), found);
    else if (flag === undefined) found.words.push(word);
    else takeFlag(flag, word.includes('='), found, { rest, definition: known.get(flag.slice(2)) });
  }
  return found;
}

/** After `--` there are no flags. yargs cannot keep an argument there that starts with a dash. */
function takeRest(rest: readonly string[], found: Split): void {
  found.words.push(...rest);
  const dashed = rest.filter((word) => word.startsWith('-'));
  found.misused.push(
    ...dashed.map(
      (word) =>
        `${JSON.stringify(word)}: an argument cannot start with a dash (a file: ./-name, a key: its fingerprint)`,
    ),
  );
}

function takeFlag(
  flag: string,
  hasValue: boolean,
  found: Split,
  { rest, definition }: { rest: string[]; definition: Flag | undefined },
): void {
  found.flags.push(flag);
  if (definition === undefined) return;
  if (!isValued(definition)) {
    if (hasValue) found.misused.push(`${flag} takes no value`);
  } else if (!hasValue) {
    if (rest[0] === undefined || /^-(?!\d)/.test(rest[0])) found.misused.push(`${flag} needs a value`);
    else rest.shift();
  }
}

function suggestion(word: string, candidates: readonly string[], prefix = ''): string {
  const meant = didYouMean(word, candidates);
  return meant === undefined ? '' : `, did you mean ${prefix}${meant}?`;
}
