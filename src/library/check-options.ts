import { didYouMean } from '../config/did-you-mean.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { STAGES } from '../ledger/states.js';
import { TRIGGER_DECISIONS } from '../mapping/platform-triggers.js';
import type {
  FinalizeOptions,
  MigrateOptions,
  PlanOptions,
  RepairOptions,
  RollbackOptions,
  StatusOptions,
  SwitchOptions,
  VerifyOptions,
} from './options.js';

type AllOptions = PlanOptions &
  MigrateOptions &
  VerifyOptions &
  RepairOptions &
  SwitchOptions &
  RollbackOptions &
  FinalizeOptions &
  StatusOptions;

export type OptionName = keyof AllOptions;

/** What an option must be, in words and as a test. */
interface Check {
  must: string;
  holds: (value: unknown) => boolean;
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

const FILE: Check = { must: 'be the path of a file', holds: (value) => isText(value) && !value.includes('\0') };
const FLAG: Check = { must: 'be true or false', holds: (value) => typeof value === 'boolean' };
const PERCENT: Check = { must: 'be a text with a percentage, such as "5%"', holds: isText };
const SECONDS: Check = {
  must: 'be a number of seconds above 0 and up to 86,400',
  holds: (value) => typeof value === 'number' && value >= 0.001 && value <= 86_400,
};
const whole = (from: number, to: number): Check => ({
  must: `be a whole number from ${String(from)} to ${String(to)}`,
  holds: (value) => Number.isInteger(value) && (value as number) >= from && (value as number) <= to,
});
const oneOf = (words: readonly string[]): Check => ({
  must: `be one of ${words.join(', ')}`,
  holds: (value) => words.includes(value as string),
});

const CHECKS: Record<OptionName, Check> = {
  configuration: { must: 'be the path of a file or an object', holds: (value) => isText(value) || isObject(value) },
  connection: {
    must: 'be a URL, or an object with connectionString or database',
    holds: (value) =>
      typeof value === 'string' ||
      (isObject(value) &&
        ['connectionString', 'database'].some((key) => isText((value as Record<string, unknown>)[key]))),
  },
  signal: { must: 'be an AbortSignal', holds: (value) => value instanceof AbortSignal },
  onProgress: { must: 'be a function', holds: (value) => typeof value === 'function' },
  concurrency: whole(1, 64),
  batchSize: whole(1, 10_000_000),
  batchTime: SECONDS,
  maxLag: SECONDS,
  maxActive: whole(0, 100_000),
  throttleQuery: { must: 'be a query', holds: isText },
  throttleUrl: {
    must: 'be a URL that starts with http:// or https://',
    holds: (value) => isText(value) && /^https?:\/\//i.test(value) && URL.canParse(value),
  },
  maxLatency: SECONDS,
  until: oneOf(STAGES.filter((stage) => stage !== 'finalize')),
  tolerance: PERCENT,
  cohort: PERCENT,
  accounts: {
    must: 'be the path of a CSV, or a list of ids',
    holds: (value) => isText(value) || (Array.isArray(value) && value.every(isId)),
  },
  triggers: oneOf(TRIGGER_DECISIONS),
  ...allOf(FILE, ['holds', 'plan', 'out', 'keys', 'dormant', 'notice', 'replay', 'probe']),
  ...allOf(FLAG, ['rehearse', 'showSql', 'dryRun', 'all', 'back', 'purge']),
};

function isId(value: unknown): boolean {
  return isText(value) || typeof value === 'bigint' || Number.isSafeInteger(value);
}

function allOf<const Name extends OptionName>(check: Check, names: readonly Name[]): Record<Name, Check> {
  return Object.fromEntries(names.map((name) => [name, check])) as Record<Name, Check>;
}

const COMMON: readonly OptionName[] = ['configuration', 'connection', 'signal', 'onProgress'];

/**
 * Checks the options of a function. A name that it does not have is a fault: a rollback of some accounts must not
 * become one of all accounts because of a typing error.
 *
 * @throws `option_invalid` with every fault
 */
export function checkOptions(name: string, given: unknown, own: readonly OptionName[]): void {
  if (given !== undefined && !isObject(given)) throw invalid(name, ['the options must be an object']);
  const known = [...COMMON, ...own];
  const faults = Object.entries(given ?? {})
    .filter(([, value]) => value !== undefined)
    .flatMap(([option, value]) => faultOf(option, value, known));
  if (faults.length > 0) throw invalid(name, faults);
}

function faultOf(option: string, value: unknown, known: readonly OptionName[]): string[] {
  const found = known.find((one) => one === option);
  if (found !== undefined) return CHECKS[found].holds(value) ? [] : [`${option} must ${CHECKS[found].must}`];
  const meant = didYouMean(option, known);
  const rest = meant === undefined ? `; known are ${known.join(', ')}` : `, did you mean ${meant}?`;
  return [`unknown option ${option}${rest}`];
}

/** The error of faulty options. */
export function invalid(name: string, faults: readonly string[]): KeyliftError {
  const count = faults.length === 1 ? 'a fault' : `${String(faults.length)} faults`;
  return keyliftError('option_invalid', { message: `the call of ${name} has ${count}:\n  ${faults.join('\n  ')}` });
}
