import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { Status } from './status.js';

/** A watcher reads once a second at most, and then waits this many times as long as reading took. */
const EVERY_MS = 1_000;
const REST_FACTOR = 9;

/** Milliseconds to wait after reading took `tookMs`. */
export const restAfter = (tookMs: number): number => Math.max(EVERY_MS - tookMs, tookMs * REST_FACTOR);

export interface Watch {
  read: () => Promise<Status>;
  show: (status: Status) => void;
  stop: AbortSignal;
  /** Ends or throws when its signal aborts. */
  wait: (ms: number, stop: AbortSignal) => Promise<void>;
  now: () => number;
}

/**
 * Reads the status every second until no run is active. Where reading takes longer it reads less often, so that a
 * watcher takes at most a tenth of one session's time.
 *
 * @throws `interrupted` when the operator stops watching; the run continues.
 */
export async function watch({ read, show, stop, wait, now }: Watch): Promise<void> {
  try {
    for (;;) {
      stop.throwIfAborted();
      const began = now();
      const status = await read();
      show(status);
      if (status.run === null) return;
      await wait(restAfter(now() - began), stop);
    }
  } catch (error) {
    throw stop.aborted ? stopped() : error;
  }
}

const stopped = (): KeyliftError =>
  keyliftError('interrupted', {
    message: 'status stopped watching on request',
    hint: 'The run continues; keylift status --watch shows it again.',
  });
