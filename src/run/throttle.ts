import type { Wait } from '../database/waiting.js';

/** Why the run waits; null when it may go on. */
export type Reason = Wait | null;

export interface ThrottleOptions {
  /** Looks at the world; what it cannot read it must answer with a reason, not with null. */
  look: () => Promise<Reason>;
  /** Told when the reason changes, also back to null. */
  onChange: (reason: Reason) => void | Promise<void>;
  /** How long a look stays good while all is well, and between looks while waiting. Milliseconds. */
  everyMs: number;
  now: () => number;
  sleep: (milliseconds: number) => Promise<void>;
  stop: AbortSignal;
}

/** Waits with a reason. One look serves all batches that ask within `everyMs`. */
export class Throttle {
  private lookedAt = -Infinity;
  private reason: Reason = null;
  private looking: Promise<void> | null = null;

  constructor(private readonly options: ThrottleOptions) {}

  /** Resolves when nothing speaks against going on, or at a stop. */
  async clear(): Promise<void> {
    const { now, sleep, everyMs, stop } = this.options;
    while (!stop.aborted) {
      if (now() - this.lookedAt >= everyMs)
        await (this.looking ??= this.look().finally(() => {
          this.looking = null;
        }));
      if (this.reason === null) return;
      await sleep(everyMs);
    }
  }

  private async look(): Promise<void> {
    const reason = await this.options.look();
    this.lookedAt = this.options.now();
    if (reason?.text === this.reason?.text) return;
    this.reason = reason;
    await this.options.onChange(reason);
  }
}
