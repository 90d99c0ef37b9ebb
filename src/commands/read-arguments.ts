import type { CommandDefinition } from './definition.js';
import { GLOBAL_FLAGS, isValued, type Flag, type Positional, type Valued } from './flags.js';
import { ValueFault } from './values.js';

/** `batch-size` becomes `batchSize`. */
type CamelCase<Name> = Name extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<CamelCase<Tail>>}` : Name;
type FlagValue<F> = F extends Valued<infer T> ? T | undefined : boolean;
type PositionalValue<P> = P extends Valued<infer T> ? (P extends { optional: true } ? T | undefined : T) : never;
type FlagValues<Flags> = { [Name in keyof Flags as CamelCase<Name>]: FlagValue<Flags[Name]> };
type PositionalValues<Positionals> = { [Name in keyof Positionals]: PositionalValue<Positionals[Name]> };

/** The arguments of a command, derived from its definition: flags under their camelCase names, and positionals. */
export type Arguments<D extends CommandDefinition> = FlagValues<D['flags']> &
  (D extends { positionals: infer Positionals } ? PositionalValues<Positionals> : unknown);

/** The values of the flags of every command. */
export type Globals = FlagValues<typeof GLOBAL_FLAGS>;

/** What a command line came to. */
export type Reading<D extends CommandDefinition> =
  { faults: readonly string[] } | { args: Arguments<D>; globals: Globals };

/** Checks and converts the texts that yargs found. Reports every fault, not only the first. */
export function readArguments<D extends CommandDefinition>(
  definition: D,
  raw: Record<string, unknown>,
  world: { cwd: string },
): Reading<D> {
  const { positionals = {}, flags } = definition;
  const read = [
    ...readAll(positionals, { raw, world, label: (name) => `<${name}>` }),
    ...readAll(flags, { raw, world, label: (name) => `--${name}` }),
  ];
  const globals = readAll(GLOBAL_FLAGS, { raw, world, label: (name) => `--${name}` });
  const faults = [
    ...[...read, ...globals].flatMap(({ fault }) => (fault === undefined ? [] : [fault])),
    ...faultsOfWhole(definition, raw),
  ];
  if (faults.length > 0) return { faults };
  // The compiler does not follow names through Object.fromEntries; both types are derived from what is read here.
  return { args: byName(read) as Arguments<D>, globals: byName(globals) as Globals };
}

interface Outcome {
  name: string;
  value?: unknown;
  fault?: string;
}

const byName = (outcomes: readonly Outcome[]): object =>
  Object.fromEntries(outcomes.map(({ name, value }) => [camelCase(name), value]));

interface ReadOptions {
  raw: Record<string, unknown>;
  world: { cwd: string };
  /** How a message names the flag. */
  label: (name: string) => string;
}

const readAll = (flags: Record<string, Flag | Positional>, { raw, world, label }: ReadOptions): Outcome[] =>
  Object.entries(flags).map(([name, flag]) => {
    const { value, fault } = readOne(flag, raw[name], world);
    return fault === undefined ? { name, value } : { name, fault: `${label(name)}: ${fault}` };
  });

function readOne(flag: Flag, given: unknown, world: { cwd: string }): Omit<Outcome, 'name'> {
  if (Array.isArray(given)) return { fault: 'given more than once' };
  if (!isValued(flag)) return { value: given === true };
  if (given === undefined) return { value: undefined };
  if (typeof given !== 'string' || given.trim() === '') return { fault: 'must not be empty' };
  if (given.includes('\0')) return { fault: 'must not hold a NUL character' };
  try {
    return { value: flag.read(given, world) };
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    const not = flag.read.secret === true ? '' : ` (not ${JSON.stringify(given.slice(0, 100))})`;
    return { fault: `${error.message}${not}` };
  }
}

function faultsOfWhole({ exclusive = [], fault }: CommandDefinition, raw: Record<string, unknown>): string[] {
  const given = new Set(Object.keys(raw).filter((name) => raw[name] !== undefined && raw[name] !== false));
  const conflicts = exclusive
    .map((group) => group.filter((name) => given.has(name)))
    .filter((names) => names.length > 1)
    .map((names) => `${names.map((name) => `--${name}`).join(' and ')} exclude each other`);
  const whole = fault?.(given);
  return whole === undefined ? conflicts : [...conflicts, whole];
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
