import { lookupText } from '../../../format.js';
import type { StageContext } from '../../../run/context.js';
import type { Lookups } from '../../../run/events.js';
import type { Reason } from '../../../run/throttle.js';
import type { Steering } from '../steering.js';
import { LookupTimer } from './timer.js';

/** Each step halves batches at once and batch time. */
const STEPS = 2;
/** After this many looks within the limit the run goes one step faster: five seconds. */
const CALM_LOOKS = 10;

type Timer = Pick<LookupTimer, 'times' | 'measured' | 'p95' | 'end'>;

/** The pace to go at now, and the reason to wait. */
export interface Braked {
  steering: Steering;
  reason: Reason;
}

/**
 * Slows a run down, then makes it wait, while the platform's key lookups take longer than the operator allows. After
 * each change of the pace, lookups are timed anew: older times say nothing about it.
 */
export class LatencyBrake {
  private timer: Timer | null = null;
  private steps = 0;
  private waiting = false;
  private started = false;
  private calm = 0;

  constructor(
    private readonly context: Pick<StageContext, 'url' | 'schema'>,
    private readonly begin: (context: ConstructorParameters<typeof LookupTimer>[0]) => Timer = (options) =>
      new LookupTimer(options),
  ) {}

  look(steering: Steering): Braked {
    const { maxLatency: limit } = steering;
    if (limit === null) return { steering, reason: null };
    const timer = (this.timer ??= this.begin(this.context));
    const p95 = timer.p95();
    if (typeof timer.measured !== 'string') return this.stopFor(steering, unmeasured(timer.measured.fault));
    if (timer.measured === 'no_keys') return { steering, reason: null };
    if (p95 === null) return this.before(steering);
    this.adjust(p95 > limit);
    return {
      steering: this.slowed(steering),
      reason: this.waiting ? { kind: 'latency', text: lookupText(p95, limit) } : null,
    };
  }

  /** The times so far, for the ledger and the log; null where none are taken. */
  lookups({ maxLatency: limit }: Steering): Lookups | null {
    if (limit === null || this.timer === null || this.timer.times.samples === 0) return null;
    const { times } = this.timer;
    return { p95: this.timer.p95(), p95_of_all: times.p95OfAll()!, samples: times.samples, limit };
  }

  async end(): Promise<void> {
    await this.timer?.end();
    this.timer = null;
  }

  private stopFor(steering: Steering, text: string): Braked {
    return { steering, reason: { kind: 'latency', text } };
  }

  /** Until there are enough samples, the run does what it did before; at the start it waits. */
  private before(steering: Steering): Braked {
    if (this.started && !this.waiting) return { steering: this.slowed(steering), reason: null };
    return this.stopFor(steering, 'key lookups are being timed before more keys are copied');
  }

  private adjust(above: boolean): void {
    this.started = true;
    this.calm = above ? 0 : this.calm + 1;
    if (above && this.steps < STEPS) this.change(this.steps + 1, false);
    else if (above && !this.waiting) this.change(this.steps, true);
    else if (!above && this.waiting) this.change(this.steps, false);
    else if (this.calm >= CALM_LOOKS && this.steps > 0) this.change(this.steps - 1, false);
  }

  private change(steps: number, waiting: boolean): void {
    [this.steps, this.waiting, this.calm] = [steps, waiting, 0];
    this.timer!.times.forgetLatest();
  }

  private slowed(steering: Steering): Steering {
    const factor = 2 ** this.steps;
    return {
      ...steering,
      concurrency: Math.max(1, Math.floor(steering.concurrency / factor)),
      batchSeconds: steering.batchSeconds / factor,
    };
  }
}

const unmeasured = (fault: string): string =>
  `key lookups cannot be timed (${fault}); to continue without it: keylift tune --max-latency none`;
