/** What the ledger says of batches that ended within a while. */
export interface Window {
  batches: number;
  rows: number;
  /** From the first of them, when it began, until now. */
  seconds: number;
}

/** Fewer batches, or a shorter while, say nothing yet: the first ones are small and find cold caches. */
const LEAST_BATCHES = 8;
const LEAST_SECONDS = 5;
/** The latest pace may be off the longer one by this share; further apart, neither is worth telling. */
const SETTLED_WITHIN = 0.25;

/** Rows a second, or null where nothing was measured. */
export const rateOf = ({ rows, seconds }: Window): number | null => (rows > 0 && seconds > 0 ? rows / seconds : null);

/**
 * Seconds until `rowsLeft` are done at the present pace, or null while that would be a guess: too little is measured,
 * or the pace of the latest while is not that of the longer one (a run that sped up, or waits).
 */
export function secondsLeft(rowsLeft: number, { longer, latest }: { longer: Window; latest: Window }): number | null {
  const rate = rateOf(longer);
  const now = rateOf(latest);
  if (rate === null || now === null || longer.batches < LEAST_BATCHES || longer.seconds < LEAST_SECONDS) return null;
  if (Math.abs(now - rate) > rate * SETTLED_WITHIN) return null;
  return Math.ceil(Math.max(0, rowsLeft) / rate);
}
