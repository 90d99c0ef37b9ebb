const SMALLEST_BIGINT = -(2n ** 63n);
const LARGEST_BIGINT = 2n ** 63n - 1n;

const DATE_AND_TIME = String.raw`(\d{4,6})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d{1,6})?`;
const ZONE = String.raw`(?:Z|[+-](\d{2})(?::(\d{2})(?::(\d{2}))?)?)`;
const TIMESTAMP = new RegExp(`^${DATE_AND_TIME}${ZONE}( BC)?$`);
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The range of timestamptz: from 4713 BC to the year 294276. */
const EARLIEST_YEAR = -4712;
const LATEST_YEAR = 294276;

/** A whole number that fits a bigint column, in its normal form. */
export function isBigint(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value >= SMALLEST_BIGINT && value <= LARGEST_BIGINT;
}

/**
 * An ISO date and time that PostgreSQL stores exactly: with a zone, at most microseconds, and a day that exists. ` BC`
 * may follow; `infinity` and `-infinity` are valid, too.
 */
export function isTimestamptz(text: string): boolean {
  if (text === 'infinity' || text === '-infinity') return true;
  const parts = TIMESTAMP.exec(text);
  if (parts === null) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ...offset] = parts
    .slice(1, 10)
    .map((part) => Number(part ?? 0));
  const [offsetHours = 0, offsetMinutes = 0, offsetSeconds = 0] = offset;
  return (
    isDay({ year: parts[10] === undefined ? year : 1 - year, month, day, counted: year }) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59 &&
    offsetHours <= 15 &&
    offsetMinutes <= 59 &&
    offsetSeconds <= 59
  );
}

/** A text that PostgreSQL stores unchanged: no U+0000, no half of a surrogate pair. */
export function isPostgresText(text: string): boolean {
  return !text.includes('\u0000') && !/\p{Surrogate}/u.test(text);
}

/** In `year` 1 BC is 0, as the rule for leap years needs it; `counted` is the year as written. */
function isDay({ year, month, day, counted }: { year: number; month: number; day: number; counted: number }): boolean {
  if (counted < 1 || year < EARLIEST_YEAR || year > LATEST_YEAR) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = month === 2 && leap ? 29 : DAYS[month - 1];
  return last !== undefined && day >= 1 && day <= last;
}
