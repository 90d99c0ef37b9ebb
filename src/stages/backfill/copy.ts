import { setTimeout as sleep } from 'node:timers/promises';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { feed } from '../../run/feed.js';
import { Pace } from '../../run/pace.js';
import { Throttle, type Reason } from '../../run/throttle.js';
import { sqlStateOf } from '../../database/sqlstate.js';
import { pauseBefore } from '../../database/retry.js';
import type { StageContext } from '../context.js';
import { runBatch } from './batch.js';
import type { ClaimedRange } from './claim.js';
import { consequenceOf, MAX_TRIES, noteFailure } from './failures.js';
import { RANGE_KEYS } from './ranges.js';
import { readSteering, reasonToWait, type Steering } from './reasons.js';

const LOOK_EVERY_MS = 500;
/** A batch may take this many times what it should before PostgreSQL cuts it off, and no less than the floor. */
const TIMEOUT_FACTOR = 20;
const LEAST_TIMEOUT_MS = 10_000;
const RECONNECT = { baseMs: 200, maxMs: 5_000, tries: 8 };

/** A range that failed for good, for now. */
export interface FailedRange {
  after_id: string | null;
  upto_id: string;
  sqlstate: string | null;
}

/**
 * Copies every open range, here and wherever else a run has joined, until none is left.
 *
 * @returns the ranges that failed three times; all others are done.
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
    context.progress.waiting(null);
  }
}

class Copier {
  private steering: Steering;
  private readonly pace: Pace;
  private readonly throttle: Throttle;
  private lost = 0;
  private analyzed = false;

  constructor(private readonly context: StageContext) {
    const { options, stop } = context;
    this.steering = { paused: false, ...options, maxLag: options.maxLag, maxActive: options.maxActive };
    this.pace = new Pace({
      least: Math.min(RANGE_KEYS, options.batchSize),
      most: options.batchSize,
      batchSeconds: options.batchSeconds,
    });
    this.throttle = new Throttle({
      look: () => this.look(),
      onChange: (reason) => {
        context.progress.waiting(reason);
      },
      everyMs: LOOK_EVERY_MS,
      now: () => performance.now(),
      sleep: (ms) => sleep(ms),
      stop,
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

  /** Somebody else holds what is left: a batch of another run, or a writer that has not committed. */
  async waitForOthers(): Promise<void> {
    this.context.progress.waiting({
      kind: 'ranges',
      text: 'the last ranges are held by another run or by a session that changed keys and has not committed',
    });
    await sleep(LOOK_EVERY_MS);
    this.context.stop.throwIfAborted();
  }

  private async look(): Promise<Reason> {
    const { database, schema, options } = this.context;
    try {
      this.steering = await database.readOnly((s) => readSteering(s, options));
      this.pace.tune({ batchSeconds: this.steering.batchSeconds });
      return await reasonToWait(database, schema, this.steering);
    } catch (error) {
      if (!(await this.survives(error))) throw error;
      return { kind: 'connection', text: 'the database did not answer' };
    }
  }

  /** One batch; false when nothing was free. A failed one is dealt with and counts as work. */
  private async batch(): Promise<boolean> {
    const { database, schema, run, options, progress } = this.context;
    let claimed: readonly ClaimedRange[] = [];
    try {
      const report = await runBatch(database, schema, {
        run,
        ranges: Math.max(1, Math.floor(this.pace.size / Math.min(RANGE_KEYS, options.batchSize))),
        statementTimeoutMs: Math.max(LEAST_TIMEOUT_MS, this.steering.batchSeconds * 1000 * TIMEOUT_FACTOR),
        onClaim: (ranges) => {
          claimed = ranges;
        },
      });
      this.lost = 0;
      if (report === null) return false;
      this.pace.finished(report);
      progress.batch(report);
      await this.analyzeOnce();
      return true;
    } catch (error) {
      return this.afterFailure(error, claimed);
    }
  }

  /** Sessions that planned their lookups on the empty table plan anew: nothing else tells them that it grew. */
  private async analyzeOnce(): Promise<void> {
    if (this.analyzed) return;
    this.analyzed = true;
    await analyzeTarget(this.context);
  }

  private async afterFailure(error: unknown, ranges: readonly ClaimedRange[]): Promise<boolean> {
    const { database, schema, progress } = this.context;
    const sqlstate = sqlStateOf(error);
    switch (consequenceOf(error)) {
      case 'smaller':
        // The operator's second Ctrl-C cancels statements, which says nothing against the range.
        this.context.stop.throwIfAborted();
        progress.retry({
          text: `a batch took too long and is tried again in ${ranges.length > 1 ? 'smaller parts' : 'halves'}`,
          reason: 'smaller',
          sqlstate,
          ranges,
        });
        break;
      case 'again':
        progress.retry({
          text: 'waiting: another session holds a lock that a batch needs',
          reason: 'again',
          sqlstate,
          ranges,
        });
        await sleep(pauseBefore((ranges[0]?.tries ?? 0) + 1, { baseMs: 500, maxMs: 4_000 }));
        break;
      case 'reconnect':
        if (await this.survives(error)) return true;
        throw error;
      default:
        throw error;
    }
    this.pace.failed();
    const givenUp = await noteFailure(database, schema, { ranges, error });
    if (givenUp !== undefined) progress.givenUp(givenUp, sqlstate);
    return true;
  }

  /** A lost connection is waited out for a while; every answer since starts the count anew. */
  private async survives(error: unknown): Promise<boolean> {
    if (consequenceOf(error) !== 'reconnect' || this.lost >= RECONNECT.tries || this.context.stop.aborted) return false;
    this.lost += 1;
    this.context.progress.retry({
      text: 'waiting: the connection was lost; trying again',
      reason: 'reconnect',
      sqlstate: sqlStateOf((error as Error).cause),
    });
    await sleep(pauseBefore(this.lost, RECONNECT));
    return true;
  }
}

/** Fresh statistics, if they can be had at once: nothing waits for them, so they must not wait for anybody. */
export async function analyzeTarget({ database, schema }: StageContext): Promise<void> {
  await database
    .transaction((s) => s.query(`ANALYZE ${schema.legacy.target}`), { lockTimeoutMs: 500, tries: 1 })
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

/** What a run ends with when ranges are left. */
export function failedRanges(failed: readonly FailedRange[]): KeyliftError {
  const ranges = failed.map(
    (r) => `after ${r.after_id ?? 'the start'} up to ${r.upto_id} (SQLSTATE ${r.sqlstate ?? 'unknown'})`,
  );
  return keyliftError('batches_failed', {
    message: `${String(failed.length)} ranges of keys failed ${String(MAX_TRIES)} times each; all others are done`,
    facts: { ranges },
  });
}
