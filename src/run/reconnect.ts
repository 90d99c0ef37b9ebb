import { setTimeout as pause } from 'node:timers/promises';
import { EXIT } from '../errors/exit-codes.js';
import { hasCode, hasExit } from '../errors/keylift-error.js';
import { isLoss } from '../database/failures.js';
import { pauseBefore } from '../database/retry.js';

/** Together some 20 s at most, about as long as a run's lease lasts without a heartbeat. */
const RECONNECT = { tries: 8, baseMs: 200, maxMs: 5_000 };
/** A try that lasted this long had a connection: what it lost is a new loss. */
const CALM_MS = 60_000;

export interface ReconnectOptions {
  stop: AbortSignal;
  /** Told of each loss before the next try. */
  onLoss: (error: unknown) => void;
  now?: () => number;
  sleep?: (milliseconds: number) => Promise<unknown>;
}

/**
 * Calls `work`, which must be safe to call again at any point, and again when it lost its connection, with growing
 * pauses. What had been asked when the connection went may have been done or not: only the ledger knows.
 *
 * @throws the loss (exit 5) when there is no connection to be had, or none that lasts; whatever else at once.
 */
export async function throughLosses<T>(work: () => Promise<T>, options: ReconnectOptions): Promise<T> {
  const {
    stop,
    onLoss,
    now = () => performance.now(),
    sleep = (ms) => pause(ms, undefined, { signal: stop }).catch(() => undefined),
  } = options;
  for (let losses = 0, lost: unknown; ;) {
    const began = now();
    try {
      return await work();
    } catch (error) {
      losses = now() - began > CALM_MS ? 1 : losses + 1;
      if (!isLoss(error) || stop.aborted || losses > RECONNECT.tries) throw toTell(error, { lost, stop });
      lost = error;
      onLoss(error);
      await sleep(pauseBefore(losses, RECONNECT));
      stop.throwIfAborted();
    }
  }
}

/** A lease that ran out while there was no connection was lost with the connection; a silence is told as what it was. */
function toTell(error: unknown, { lost, stop }: { lost: unknown; stop: AbortSignal }): unknown {
  if (isLoss(error)) return hasExit(stop.reason, EXIT.unreachable) ? stop.reason : error;
  return hasCode(error, 'lease_lost') && lost !== undefined ? lost : error;
}
