import type { CommandDefinition } from './definition.js';
import { isValued, type Flag } from './flags.js';

/**
 * The arguments of a command as the ledger keeps them, in the order of the definition. Flags of every command are left
 * out: the database URL, and what concerns the terminal alone. A value that may hold a secret is masked.
 */
export function recordedArguments(
  { positionals = {}, flags }: CommandDefinition,
  raw: Record<string, unknown>,
): string[] {
  return [
    ...Object.keys(positionals).flatMap((name) => (typeof raw[name] === 'string' ? [raw[name]] : [])),
    ...Object.entries(flags).flatMap(([name, flag]) => recordedFlag(name, flag, raw[name])),
  ];
}

function recordedFlag(name: string, flag: Flag, given: unknown): string[] {
  if (!isValued(flag)) return given === true ? [`--${name}`] : [];
  if (typeof given !== 'string') return [];
  return [`--${name}`, flag.record === undefined ? given : flag.record(given)];
}
