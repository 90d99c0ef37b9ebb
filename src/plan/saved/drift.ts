import { REASONS } from '../exceptions.js';
import type { ReviewedCounts } from './document.js';

/** One number of a saved plan that is another one now. */
export interface Drift {
  /** `outcomes.move`, `exceptions.missing_api`, `widening.keys`, `total`: short, so that a table fits a terminal. */
  number: string;
  reviewed: number;
  now: number;
  difference: number;
  /** The difference in percent of what it is measured against; null where that is 0. */
  percent: number | null;
}

interface Compared {
  number: string;
  reviewed: number;
  now: number;
  /** What the difference is measured against. */
  base: number;
}

const OUTCOMES = ['move', 'stay', 'merge', 'hold', 'exception'] as const;
const WIDENING = ['accounts', 'keys', 'store_apis'] as const;

/**
 * The numbers of a saved plan that differ from those of a fresh one. Counts of keys by outcome and by reason are measured
 * against the total: one more exception among three is no drift of a large table. The numbers of widening are measured
 * each against itself: they say what the reviewer agreed to open, and to whom.
 *
 * @param perMillion the tolerance: 1% is 10,000
 * @returns the numbers, and whether one differs by more than the tolerance
 */
export function driftOf(
  reviewed: ReviewedCounts,
  now: ReviewedCounts,
  perMillion: number,
): { drift: Drift[]; beyond: boolean } {
  const different = comparedNumbers(reviewed, now).filter((one) => one.reviewed !== one.now);
  return {
    drift: different.map(({ number, reviewed: before, now: after, base }) => ({
      number,
      reviewed: before,
      now: after,
      difference: after - before,
      percent: base === 0 ? null : Math.round((Math.abs(after - before) / base) * 10_000) / 100,
    })),
    beyond: different.some((one) => Math.abs(one.now - one.reviewed) * 1_000_000 > one.base * perMillion),
  };
}

/** `dormant_keys` is not compared: it changes with time alone. */
function comparedNumbers(reviewed: ReviewedCounts, now: ReviewedCounts): Compared[] {
  const base = reviewed.total;
  return [
    ...OUTCOMES.map((name) => ({
      number: `outcomes.${name}`,
      reviewed: reviewed.outcomes[name],
      now: now.outcomes[name],
      base,
    })),
    ...REASONS.map((name) => ({
      number: `exceptions.${name}`,
      reviewed: reviewed.exceptions_by_reason[name] ?? 0,
      now: now.exceptions_by_reason[name] ?? 0,
      base,
    })),
    ...WIDENING.map((name) => ({
      number: `widening.${name}`,
      reviewed: reviewed.widening[name],
      now: now.widening[name],
      base: reviewed.widening[name],
    })),
    { number: 'total', reviewed: reviewed.total, now: now.total, base },
  ];
}
