/** A share as it is written, and in millionths: `5%` is 50,000. */
export interface Percent {
  text: string;
  perMillion: number;
}

/** Reads `P%` with 0 <= P <= 100 and up to four decimals; undefined for any other text. */
export function percentOf(text: string): Percent | undefined {
  const match = /^(\d{1,3})(?:\.(\d{1,4}))?%$/.exec(text);
  if (match === null) return undefined;
  const perMillion = Number(match[1]) * 10_000 + Number((match[2] ?? '').padEnd(4, '0'));
  return perMillion <= 1_000_000 ? { text, perMillion } : undefined;
}
