/** Fewer samples say nothing about a percentile. */
export const LEAST_SAMPLES = 10;
/** The samples of five seconds. */
const LATEST = 50;
/** A bucket of the histogram is this much wider than the one before. */
const GROWTH = 1.02;

/** The value that 95 of 100 do not exceed. */
function p95Of(sorted: readonly number[]): number {
  return sorted[Math.ceil(sorted.length * 0.95) - 1]!;
}

/** The times of key lookups, in seconds: the latest ones, and a histogram of all. */
export class LookupTimes {
  private latest: number[] = [];
  private readonly buckets = new Map<number, number>();
  private count = 0;

  /** All samples. */
  get samples(): number {
    return this.count;
  }

  add(seconds: number): void {
    this.count += 1;
    const bucket = Math.ceil(Math.log(Math.max(seconds, 1e-6)) / Math.log(GROWTH));
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + 1);
    this.latest.push(seconds);
    if (this.latest.length > LATEST) this.latest.shift();
  }

  /** What was measured so far says nothing about the pace from now on. */
  forgetLatest(): void {
    this.latest = [];
  }

  /** The 95th percentile of the latest samples and of the one under way; null until there are enough. */
  p95(underWay: number | null): number | null {
    const all = underWay === null ? this.latest : [...this.latest, underWay];
    return all.length < LEAST_SAMPLES ? null : p95Of([...all].sort((a, b) => a - b));
  }

  /** The 95th percentile of all samples, to two percent; null without one. */
  p95OfAll(): number | null {
    let left = Math.ceil(this.count * 0.95);
    for (const [bucket, count] of [...this.buckets].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return GROWTH ** bucket;
    }
    return null;
  }
}
