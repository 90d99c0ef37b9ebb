import { joinPath } from './json-text.js';

/** A difference between a captured value and its snapshot. A missing value is `undefined`. */
export interface Difference {
  /** Begins with the snapshot's name: `settings[id=1].keys[id=12].name`. */
  path: string;
  expected: unknown;
  actual: unknown;
}

/** Longer values are cut, because a missing value can be a whole document. */
const LONGEST_TEXT = 200;

/** Fields that identify the elements of a list, so that an additional element is one difference. */
const IDENTITIES = ['id', 'key_id', 'fingerprint'];

/** Every difference between two JSON values, in the order of the expected one. Ignores the order of keys. */
export function compare(sides: { path: string; expected: unknown; actual: unknown }): Difference[] {
  const { path, expected, actual } = sides;
  if (Array.isArray(expected) && Array.isArray(actual)) return compareLists({ path, expected, actual });
  if (isObject(expected) && isObject(actual)) return compareObjects({ path, expected, actual });
  return Object.is(expected, actual) ? [] : [{ path, expected, actual }];
}

/** `settings[id=1].keys[id=12].name: expected "a", got nothing` */
export function describeDifference({ path, expected, actual }: Difference): string {
  return `${path}: expected ${show(expected)}, got ${show(actual)}`;
}

interface Sides<T> {
  path: string;
  expected: T;
  actual: T;
}

function compareObjects({ path, expected, actual }: Sides<Record<string, unknown>>): Difference[] {
  const fields = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  return [...fields].flatMap((field) =>
    compare({ path: joinPath(path, field), expected: own(expected, field), actual: own(actual, field) }),
  );
}

function compareLists({ path, expected, actual }: Sides<unknown[]>): Difference[] {
  const identity = IDENTITIES.find((field) => [expected, actual].every((list) => isUniqueBy(list, field)));
  if (identity !== undefined) return compareByIdentity({ path, expected, actual, identity });
  return Array.from({ length: Math.max(expected.length, actual.length) }).flatMap((_, index) =>
    compare({ path: joinPath(path, index), expected: expected[index], actual: actual[index] }),
  );
}

function compareByIdentity({
  path,
  expected,
  actual,
  identity,
}: Sides<unknown[]> & { identity: string }): Difference[] {
  const [wanted, got] = [byIdentity(expected, identity), byIdentity(actual, identity)];
  const all = [...new Set([...wanted.keys(), ...got.keys()])];
  const common = [...wanted.keys()].filter((key) => got.has(key));
  const found = [...got.keys()].filter((key) => wanted.has(key));
  const moved = common.some((key, index) => key !== found[index]);
  return [
    ...(moved ? [{ path: `${path}: order by ${identity}`, expected: common, actual: found }] : []),
    ...all.flatMap((key) =>
      compare({ path: `${path}[${identity}=${key}]`, expected: wanted.get(key), actual: got.get(key) }),
    ),
  ];
}

function isUniqueBy(list: unknown[], field: string): boolean {
  const values = list.map((item) => (isObject(item) ? own(item, field) : undefined));
  return values.every((value) => typeof value === 'string') && new Set(values).size === values.length;
}

function byIdentity(list: unknown[], field: string): Map<string, unknown> {
  return new Map(list.map((item) => [(item as Record<string, string>)[field] ?? '', item]));
}

function own(value: Record<string, unknown>, field: string): unknown {
  return Object.hasOwn(value, field) ? value[field] : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}
