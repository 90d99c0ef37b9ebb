import type { ReadSession } from '../../database/session.js';
import { LIFTED, readControl } from '../../ledger/control.js';
import type { StageOptions } from '../../run/context.js';

/** The options of a run, as `tune` and `pause` have changed them since it began. */
export interface Steering extends StageOptions {
  paused: boolean;
}

/** Reads the values of `pause`, `resume` and `tune`; where there is none, that of the command line holds. */
export async function readSteering(session: ReadSession, own: StageOptions): Promise<Steering> {
  const control = await readControl(session);
  return {
    paused: control.paused,
    concurrency: control.concurrency ?? own.concurrency,
    batchSeconds: control.batch_time ?? own.batchSeconds,
    batchSize: control.batch_size ?? own.batchSize,
    maxLag: limitOf(control.max_lag ?? own.maxLag),
    maxActive: limitOf(control.max_active ?? own.maxActive),
    throttleQuery: limitOf(control.throttle_query ?? own.throttleQuery),
    throttleUrl: limitOf(control.throttle_url ?? own.throttleUrl),
    maxLatency: limitOf(control.max_latency ?? own.maxLatency),
  };
}

const limitOf = <T>(value: T | null): T | null => (value === LIFTED.number || value === LIFTED.text ? null : value);
