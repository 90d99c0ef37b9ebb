import path from 'node:path';
import { percentOf, type Percent } from '../operations/percent.js';

/** A value that cannot be used. The message follows the name of the flag. */
export class ValueFault extends Error {}

/** Converts the text of a flag into the value for the command. @throws ValueFault */
export interface ReadValue<T> {
  (text: string, world: { cwd: string }): T;
  /** All valid texts, where there is a fixed list. */
  words?: readonly string[];
  /** A message about a wrong text does not repeat it. */
  secret?: true;
}

/** `P%` with 0 < P <= 100 and up to four decimals. */
export const cohort: ReadValue<Percent> = (text) => {
  const percent = percentOf(text);
  if (percent !== undefined && percent.perMillion > 0) return percent;
  const hint = /^[\d.]+$/.test(text) ? '; the percent sign is missing' : '';
  throw new ValueFault(`must be a percentage above 0% and up to 100%, with up to four decimals, such as 5%${hint}`);
};

/** `P%` with 0 <= P <= 100 and up to four decimals. */
export const tolerance: ReadValue<Percent> = (text) => {
  const percent = percentOf(text);
  if (percent !== undefined) return percent;
  throw new ValueFault('must be a percentage from 0% to 100%, with up to four decimals, such as 1%');
};

/** A whole number, written with digits alone. */
export function wholeNumber({ from, to }: { from: number; to: number }): ReadValue<number> {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(number >= from && number <= to))
      throw new ValueFault(`must be a whole number from ${String(from)} to ${String(to)}`);
    return number;
  };
}

const UNITS: Record<string, number> = { '': 1000, s: 1000, ms: 1, m: 60_000, min: 60_000 };

/** A time above zero and up to a day, in seconds, or with a unit: `0.5`, `0.5s`, `500ms`, `2m`. In milliseconds. */
export const duration: ReadValue<number> = (text) => {
  const [, digits, unit] = /^(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|min)?$/.exec(text) ?? [];
  const milliseconds = Math.round(Number(digits ?? NaN) * (UNITS[unit ?? ''] ?? NaN));
  if (!(milliseconds >= 1 && milliseconds <= 86_400_000)) {
    throw new ValueFault(
      'must be a time above zero and up to a day: seconds, or with a unit, such as 0.5, 500ms or 2m',
    );
  }
  return milliseconds;
};

/** A time from 0.1 ms to 60 s, as `duration` reads it. In milliseconds, which may be a fraction. */
export const shortTime: ReadValue<number> = (text) => {
  const [, digits, unit] = /^(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s)?$/.exec(text) ?? [];
  const milliseconds = Number(digits ?? NaN) * UNITS[unit ?? '']!;
  if (!(milliseconds >= 0.1 && milliseconds <= 60_000))
    throw new ValueFault('must be a time from 0.1ms to 60s: seconds, or with a unit, such as 0.005, 5ms or 2.5ms');
  return milliseconds;
};

export function oneOf<const Words extends readonly string[]>(words: Words): ReadValue<Words[number]> {
  const read = (text: string): Words[number] => {
    if (!words.includes(text)) throw new ValueFault(`must be one of ${words.join(', ')}`);
    return text;
  };
  return Object.assign(read, { words });
}

/** Accepts another text, `own` or `none`, for a value of its own. */
export function or<T, Other>(text: string, value: Other, read: ReadValue<T>): ReadValue<T | Other> {
  const either: ReadValue<T | Other> = (given, world) => (given === text ? value : read(given, world));
  return Object.assign(either, { ...(read.secret === true ? { secret: true as const } : {}) });
}

/** A file or folder, made absolute from the working folder. */
export const file: ReadValue<string> = (text, { cwd }) => path.resolve(cwd, text);

/** A URL of http or https. It may hold a secret. */
export const webUrl: ReadValue<string> = Object.assign(
  (text: string): string => {
    if (/^https?:\/\//i.test(text) && URL.canParse(text)) return text;
    throw new ValueFault('must be a URL that starts with http:// or https://');
  },
  { secret: true as const },
);

export const word: ReadValue<string> = (text) => text;
