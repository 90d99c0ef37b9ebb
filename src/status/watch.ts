import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { Status } from './status.js';

/** How often a watcher looks, and how many times as long as a look took it leaves the database alone. */
const EVERY_MS = 1_000;
const REST_FACTOR = 9;

/** Milliseconds to leave the database alone after a look that took so many. */
export const restAfter = (tookMs: number): number => Math.max(EVERY_MS - tookMs, tookMs * REST_FACTOR);

export interface Watch {
  read: () => Promise<Status>;
  show: (status: Status) => void;
  stop: AbortSignal;
  /** Ends early, also by throwing, when its signal aborts. */
  wait: (ms: number, stop: AbortSignal) => Promise<void>;
  now: () => number;
}

/**
 * Looks every second until no run is at work. On a large table a look may take long: then it looks less often, so
 * that watching costs the database a tenth of one session at most.
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
