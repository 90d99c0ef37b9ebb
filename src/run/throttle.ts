import type { Wait } from '../database/waiting.js';
import { pause } from '../timing.js';

/** Why the run waits; null when it may continue. */
export type Reason = Wait | null;

export interface ThrottleOptions {
  /** Looks for a reason to wait. What it cannot read is a reason, too. */
  look: () => Promise<Reason>;
  /** Called when the reason changes, also back to null. */
  onChange: (reason: Reason) => void;
  /** How long a look is valid, and the time between two looks while the run waits. Milliseconds. */
  everyMs: number;
  stop: AbortSignal;
  now?: () => number;
  wait?: (milliseconds: number, stop: AbortSignal) => Promise<void>;
}

/** Holds batches back while there is a reason. One look serves all batches that ask within `everyMs`. */
export class Throttle {
  private lookedAt = -Infinity;
  private reason: Reason = null;
  private looking: Promise<void> | null = null;

  constructor(private readonly options: ThrottleOptions) {}

  /** Resolves when there is no reason to wait. @throws the reason of the stop */
  async clear(): Promise<void> {
    const { everyMs, stop, now = () => performance.now(), wait = pause } = this.options;
    for (;;) {
      stop.throwIfAborted();
      if (now() - this.lookedAt >= everyMs)
        await (this.looking ??= this.look(now).finally(() => {
          this.looking = null;
        }));
      if (this.reason === null) return;
      await wait(everyMs, stop);
    }
  }

  private async look(now: () => number): Promise<void> {
    const reason = await this.options.look();
    this.lookedAt = now();
    if (reason?.text === this.reason?.text) return;
    this.reason = reason;
    this.options.onChange(reason);
  }
}
