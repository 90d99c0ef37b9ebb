import { GLOBAL_FLAGS, isValued, type CommandDefinition, type Flag } from './definition.js';
import { ValueFault } from './values.js';

/** Arguments under their camelCase names: switches are booleans, valued flags what `read` made of them. */
export type Arguments = Record<string, unknown>;

interface Reading {
  faults: string[];
  args: Arguments;
  globals: Arguments;
}

/** Checks and converts what yargs found; every fault is told, not only the first. */
export function readArguments(
  definition: CommandDefinition,
  raw: Record<string, unknown>,
  world: { cwd: string },
): Reading {
  const faults: string[] = [];
  const read = (flags: Record<string, Flag>, label: (name: string) => string): Arguments =>
    Object.fromEntries(
      Object.entries(flags).map(([name, flag]) => {
        const outcome = readOne(flag, raw[name], world);
        if (outcome.fault !== undefined) faults.push(`${label(name)}: ${outcome.fault}`);
        return [camelCase(name), outcome.value];
      }),
    );
  const args = {
    ...read(definition.positionals ?? {}, (name) => `<${name}>`),
    ...read(definition.flags, (name) => `--${name}`),
  };
  const globals = read(GLOBAL_FLAGS, (name) => `--${name}`);
  return { faults: [...faults, ...faultsOfWhole(definition, raw)], args, globals };
}

function readOne(flag: Flag, given: unknown, world: { cwd: string }): { value?: unknown; fault?: string } {
  if (Array.isArray(given)) return { fault: 'given more than once' };
  if (!isValued(flag)) return { value: given === true };
  if (given === undefined) return { value: undefined };
  if (typeof given !== 'string' || given.trim() === '') return { fault: 'must not be empty' };
  if (given.includes('\0')) return { fault: 'must not hold a NUL character' };
  try {
    return { value: flag.read(given, world) };
  } catch (error) {
    if (!(error instanceof ValueFault)) throw error;
    return { fault: `${error.message} (not ${JSON.stringify(given.slice(0, 100))})` };
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
