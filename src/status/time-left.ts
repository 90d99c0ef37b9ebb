/** Batches that ended within some time. */
export interface Window {
  batches: number;
  rows: number;
  /** From the start of the first of them until now. */
  seconds: number;
}

/** Fewer batches or seconds say nothing: the first batches are small, and caches are cold. */
const LEAST_BATCHES = 8;
const LEAST_SECONDS = 5;
/** The latest rate may differ from the longer one by this share. Otherwise neither is shown. */
const STEADY_WITHIN = 0.25;

/** Rows per second, or null without a measurement. */
export const rateOf = ({ rows, seconds }: Window): number | null => (rows > 0 && seconds > 0 ? rows / seconds : null);

/**
 * Seconds until `rowsLeft` are done at the present rate. Null while that would be a guess: there are too few batches,
 * or the latest rate differs from the longer one (the run has sped up, or waits).
 */
export function secondsLeft(rowsLeft: number, { longer, latest }: { longer: Window; latest: Window }): number | null {
  const rate = rateOf(longer);
  const now = rateOf(latest);
  if (rate === null || now === null || longer.batches < LEAST_BATCHES || longer.seconds < LEAST_SECONDS) return null;
  if (Math.abs(now - rate) > rate * STEADY_WITHIN) return null;
  return Math.ceil(Math.max(0, rowsLeft) / rate);
}
