/** The limits of a batch. */
export interface PaceLimits {
  /** Rows a batch at least and at most. */
  least: number;
  most: number;
  /** How long a batch should take, in seconds. */
  batchSeconds: number;
}

/** The first batches are small: the time that a row takes is not known yet. */
export const FIRST_ROWS = 20_000;

/** One batch changes the size by this factor at most, so that one slow batch has little effect. */
const MOST_CHANGE = 2;

/**
 * Sizes batches by the time they take. Each batch moves the size half of the way to what its speed allows, within the
 * limits.
 */
export class Pace {
  private rows: number;

  constructor(private limits: PaceLimits) {
    this.rows = this.clamp(FIRST_ROWS);
  }

  /** Rows for the next batch. */
  get size(): number {
    return this.rows;
  }

  /** Takes the speed of a finished batch into account. */
  finished({ rows, seconds }: { rows: number; seconds: number }): void {
    if (rows <= 0 || seconds <= 0) return;
    const asked = (rows / seconds) * this.limits.batchSeconds;
    const bounded = Math.min(this.rows * MOST_CHANGE, Math.max(this.rows / MOST_CHANGE, asked));
    this.rows = this.clamp((this.rows + bounded) / 2);
  }

  /** After a batch that took too long or met a lock, the next one is half as large. */
  failed(): void {
    this.rows = this.clamp(this.rows / 2);
  }

  /** New limits take effect with the next batch. */
  tune(limits: Partial<PaceLimits>): void {
    this.limits = { ...this.limits, ...limits };
    this.rows = this.clamp(this.rows);
  }

  private clamp(rows: number): number {
    return Math.round(Math.min(this.limits.most, Math.max(this.limits.least, rows)));
  }
}
