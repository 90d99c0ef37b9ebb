import { sqlStateOf } from '../../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { POLICIES, Tries } from '../../database/retry.js';
import type { StageContext } from '../../run/context.js';
import { connectionLoss, type ClaimedRange } from '../../run/events.js';
import { feed } from '../../run/feed.js';
import { Pace } from '../../run/pace.js';
import { Throttle, type Reason } from '../../run/throttle.js';
import { pause } from '../../timing.js';
import { runBatch } from './batch.js';
import { analyze } from './copy-statements.js';
import { consequenceOf, MAX_TRIES, noteFailure } from './failures.js';
import { LatencyBrake } from './latency/brake.js';
import { LookupRecord } from './latency/record.js';
import { RANGE_KEYS } from './ranges.js';
import { reasonToWait } from './reasons.js';
import { readSteering, type Steering } from './steering.js';
import { Signals } from './signals.js';

const LOOK_EVERY_MS = 500;
/** A batch may take this many times the time it should take before PostgreSQL ends it, and no less than the minimum. */
const TIMEOUT_FACTOR = 20;
const LEAST_TIMEOUT_MS = 10_000;

/** A range that failed too often for this run. */
export interface FailedRange {
  after_id: string | null;
  upto_id: string;
  sqlstate: string | null;
}

/**
 * Copies every open range, together with all runs that have joined, until none is left.
 *
 * @returns the ranges that failed too often; all others are done.
 */
export async function copyAll(context: StageContext): Promise<FailedRange[]> {
  const copier = new Copier(context);
  try {
    for (;;) {
      await copier.run();
      const open = await openRanges(context);
      if (open.pending === 0) return open.failed;
      await copier.waitForOthers();
    }
  } finally {
    await copier.end();
    context.emit({ kind: 'waiting', wait: null });
  }
}

class Copier {
  private steering: Steering;
  private readonly pace: Pace;
  private readonly signals: Signals;
  private readonly brake: LatencyBrake;
  private readonly record: LookupRecord;
  private readonly throttle: Throttle;
  private readonly losses: Tries;
  private readonly collisions: Tries;
  private analyzed = false;

  constructor(private readonly context: StageContext) {
    const { options, stop, emit } = context;
    this.steering = { paused: false, ...options };
    this.pace = new Pace({ least: this.rangeKeys(), most: this.mostRows(), batchSeconds: options.batchSeconds });
    this.signals = new Signals(context);
    this.brake = new LatencyBrake(context);
    this.record = new LookupRecord(context);
    this.throttle = new Throttle({
      look: () => this.look(),
      onChange: (wait) => {
        emit({ kind: 'waiting', wait });
      },
      everyMs: LOOK_EVERY_MS,
      stop,
    });
    this.collisions = new Tries({ policy: 'batch', stop });
    this.losses = new Tries({
      policy: 'connection',
      stop,
      onRetry: (error) => {
        emit(connectionLoss(error));
      },
    });
  }

  run(): Promise<void> {
    return feed({
      concurrency: () => this.steering.concurrency,
      work: () => this.batch(),
      ready: () => this.throttle.clear(),
      stop: this.context.stop,
    });
  }

  /** Ends what runs at the same time as the batches. */
  async end(): Promise<void> {
    await Promise.all([this.signals.end(), this.brake.end(), this.record.end()]);
  }

  /** What is left is locked by a batch of another run, or by a writer that has not committed. */
  async waitForOthers(): Promise<void> {
    this.context.emit({
      kind: 'waiting',
      wait: {
        kind: 'ranges',
        text: 'the last ranges are held by another run or by a session that changed keys and has not committed',
      },
    });
    await pause(LOOK_EVERY_MS, this.context.stop);
  }

  private async look(): Promise<Reason> {
    const { database, schema, options } = this.context;
    try {
      const set = await database.readOnly((s) => readSteering(s, options));
      const { steering, reason } = this.brake.look(set);
      this.record.note(this.brake.lookups(set));
      this.steering = steering;
      this.pace.tune({ batchSeconds: this.steering.batchSeconds, most: this.mostRows() });
      return (await reasonToWait(database, schema, this.steering)) ?? (await this.signals.reason(steering)) ?? reason;
    } catch (error) {
      await this.losses.next(error);
      return { kind: 'connection', text: 'the database did not answer' };
    }
  }

  /** Keys of a range, at most. */
  private rangeKeys(): number {
    return Math.min(RANGE_KEYS, this.context.options.batchSize);
  }

  private mostRows(): number {
    return Math.max(this.rangeKeys(), this.steering.batchSize);
  }

  /** One batch; false when no range was free. A failed batch counts as work. */
  private async batch(): Promise<boolean> {
    const { database, schema, run, emit } = this.context;
    let claimed: readonly ClaimedRange[] = [];
    try {
      const report = await runBatch(database, schema, {
        run,
        ranges: Math.max(1, Math.floor(this.pace.size / this.rangeKeys())),
        ...(this.steering.batchSize < this.rangeKeys() ? { mostKeys: this.steering.batchSize } : {}),
        statementTimeoutMs: Math.max(LEAST_TIMEOUT_MS, this.steering.batchSeconds * 1000 * TIMEOUT_FACTOR),
        onClaim: (ranges) => {
          claimed = ranges;
        },
      });
      this.losses.succeeded();
      if (report === null) return false;
      this.pace.finished(report);
      emit({ kind: 'batch', report });
      await this.analyzeOnce();
    } catch (error) {
      await this.afterFailure(error, claimed);
    }
    return true;
  }

  /** Sessions that planned their lookups on the empty table plan again: nothing else shows them that it grew. */
  private async analyzeOnce(): Promise<void> {
    if (this.analyzed) return;
    this.analyzed = true;
    await analyzeTarget(this.context);
  }

  /** Prepares the next try. The feed makes it, with whichever ranges are open then. @throws where none is worthwhile */
  private async afterFailure(error: unknown, ranges: readonly ClaimedRange[]): Promise<void> {
    const { database, schema, emit, stop } = this.context;
    const consequence = consequenceOf(error);
    if (consequence === 'reconnect' || consequence === 'give_up') return this.losses.next(error);
    // The operator's second signal cancels statements, which is no fault of the range.
    stop.throwIfAborted();
    const sqlstate = sqlStateOf(error);
    emit({ kind: 'retry', text: textOf(consequence, ranges), reason: consequence, sqlstate, ranges });
    if (consequence === 'again') await this.collisions.next(error);
    this.pace.failed();
    const range = await noteFailure(database, schema, { ranges, error });
    if (range !== undefined) emit({ kind: 'given_up', range, sqlstate });
  }
}

function textOf(consequence: 'smaller' | 'again', ranges: readonly ClaimedRange[]): string {
  if (consequence === 'again') return 'waiting: another session holds a lock that a batch needs';
  return `a batch took too long and is tried again in ${ranges.length > 1 ? 'smaller parts' : 'halves'}`;
}

/** Fresh statistics, if no lock is in the way: nothing depends on them. */
export async function analyzeTarget({ database, schema }: StageContext): Promise<void> {
  await database
    .transaction((s) => s.query(analyze(schema.legacy)), {
      name: 'backfill: analyze the new table',
      lockTimeoutMs: POLICIES.batch.lockTimeoutMs,
      retry: 'none',
    })
    .catch(() => undefined);
}

interface OpenRanges {
  pending: number;
  failed: FailedRange[];
}

async function openRanges({ database }: StageContext): Promise<OpenRanges> {
  return database.readOnly(async (s) => {
    const { pending } = await s.one<{ pending: string }>(
      `SELECT count(*) AS pending FROM keylift.batches WHERE open AND state = 'pending'`,
    );
    const { rows } = await s.query<FailedRange>(
      `SELECT after_id::text AS after_id, upto_id::text AS upto_id, sqlstate FROM keylift.batches WHERE open AND state = 'failed' ORDER BY upto_id LIMIT 100`,
    );
    return { pending: Number(pending), failed: rows };
  });
}

/** The error of a run that leaves ranges for another one. */
export function failedRanges(failed: readonly FailedRange[]): KeyliftError {
  const ranges = failed.map(
    (r) => `after ${r.after_id ?? 'the start'} up to ${r.upto_id} (SQLSTATE ${r.sqlstate ?? 'unknown'})`,
  );
  return keyliftError('batches_failed', {
    message: `${String(failed.length)} ranges of keys failed ${String(MAX_TRIES)} times each; all others are done`,
    facts: { ranges },
  });
}
