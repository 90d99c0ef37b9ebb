/** How a run copies: what `--concurrency`, `--batch-size` and `--batch-time` set. */
export interface PlannedPace {
  /** Batches at once. */
  concurrency: number;
  /** Rows a batch at most. */
  batchSize: number;
  /** How long a batch should take. */
  batchSeconds: number;
}

/** Keys a second with two batches at once on two cores of a small server, for a first guess; a rehearsal measures it. */
const KEYS_PER_SECOND = 60_000;
/** The share of that time that copies. The rest searches, builds indexes and proves, whatever the pace. */
const COPYING = 0.3;
/** Twice as many batches at once copy in this share of the time: they wait for the same disk and the same log. */
const TWICE_AS_MANY = 0.75;
/** Each batch claims its range, writes its ledger line and commits. */
const SECONDS_PER_BATCH = 0.01;

/** The time of copying with so many batches at once, in that of one batch at a time. */
export const copyingAtOnce = (concurrency: number): number => TWICE_AS_MANY ** Math.log2(concurrency);

/** A guess how long a migration of so many keys takes, in seconds with one decimal. */
export function secondsExpected(total: number, { concurrency, batchSize, batchSeconds }: PlannedPace): number {
  const perKey = 1 / KEYS_PER_SECOND;
  const copyingAlone = (perKey * COPYING) / copyingAtOnce(2);
  const rowsPerBatch = Math.max(1, Math.min(batchSize, batchSeconds / copyingAlone));
  const copying = total * copyingAlone * copyingAtOnce(concurrency);
  const overhead = (Math.ceil(total / rowsPerBatch) * SECONDS_PER_BATCH) / concurrency;
  return Math.round((total * perKey * (1 - COPYING) + copying + overhead) * 10) / 10;
}
