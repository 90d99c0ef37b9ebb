import { TOKEN_MARK } from '../support/seed.js';

/*
 * Values that are drawn, nasty on purpose. Dates lie far from now, so that none passes while a test runs; all are
 * written as PostgreSQL prints them in UTC, in their order.
 */

const PAST = [
  '-infinity',
  '0044-03-15 12:00:00+00 BC',
  '1970-01-01 00:00:00+00',
  '2019-12-31 23:59:59.999999+00',
  '2020-02-29 12:00:00.000001+00',
  '2020-02-29 12:00:00.000002+00',
  '2021-06-01 00:00:00.5+00',
  '2022-03-03 03:03:03.123456+00',
  '2024-12-31 23:59:59.999999+00',
];
const FUTURE = ['2998-01-01 00:00:00+00', '2998-01-01 00:00:00.000001+00', '9999-12-31 23:59:59.999999+00', 'infinity'];

export const INSTANTS: readonly string[] = [...PAST, ...FUTURE];

/** The first instant that has not come yet. */
export const FIRST_FUTURE = PAST.length;

/** What any other instant is, such as the moment a key was born: after all that is past. */
const placeOf = (instant: string): number => {
  const at = INSTANTS.indexOf(instant);
  return at === -1 ? FIRST_FUTURE - 0.5 : at;
};

/** Order of two instants, one that is missing last; 0 for the same. */
export function compareInstants(a: string | null, b: string | null): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  return placeOf(a) - placeOf(b) || (a < b ? -1 : Number(a > b));
}

export const isPast = (instant: string): boolean => placeOf(instant) < FIRST_FUTURE;

/** The later of two, of which either may be missing. */
export const later = (a: string | null, b: string | null): string | null =>
  a === null || (b !== null && compareInstants(a, b) < 0) ? b : a;

export const NAMES: readonly (string | null)[] = [
  null,
  '',
  ' ',
  'invoice-api-key',
  'invoice-api-key',
  '  padded\t',
  'Schlüssel',
  'Schlu\u0308ssel',
  '‮نام 🔑',
  `quote ' " \\ $1 %s {}`,
  'line\nbreak',
  'x'.repeat(300),
];

/**
 * Spellings of a world's tokens: near to one another, so that any folding, trimming or normalizing makes twins of them.
 */
const SPELLINGS = ['a', 'A', 'a ', 'é', 'e\u0301', `'"\\%_$1`, '🔑\t'];

/** How many tokens a world's keys share among them. */
export const SHARED_TOKENS = SPELLINGS.length;

/** A token of this world; keys with the same number have the same one. */
export const sharedToken = (world: number, at: number): string =>
  `${TOKEN_MARK}${String(world)}·${SPELLINGS[at % SPELLINGS.length]!}`;

/** A token that nobody else has. */
export const ownToken = (world: number, serial: string | number): string =>
  `${TOKEN_MARK}${String(world)}·own ${String(serial)}`;
