import type { ClaimedRange } from '../../run/events.js';

/** Adjacent ranges that one statement copies. */
export interface Stretch {
  after: string | null;
  upto: string;
  ranges: ClaimedRange[];
}

/** Joins adjacent ranges: one statement over a long stretch costs less than several over short ones. */
export function stretches(claimed: readonly ClaimedRange[]): Stretch[] {
  const result: Stretch[] = [];
  for (const range of claimed) {
    const last = result.at(-1);
    if (last !== undefined && last.upto === range.after_id) {
      last.upto = range.upto_id;
      last.ranges.push(range);
    } else {
      result.push({ after: range.after_id, upto: range.upto_id, ranges: [range] });
    }
  }
  return result;
}
