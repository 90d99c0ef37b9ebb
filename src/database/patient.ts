import type { Database } from './connect.js';
import { retry } from './retry.js';
import { isRetryable, sqlStateOf } from './sqlstate.js';

/** Together some three seconds of pauses: longer is somebody's decision to hold on to a lock, and not a collision. */
const PATIENCE = { attempts: 5, baseMs: 100, maxMs: 2_000 };

export interface PatientOptions {
  stop?: AbortSignal | undefined;
  /** Told before each further try. */
  onWait?: ((reason: string, sqlstate: string | undefined) => void) | undefined;
}

/**
 * The database as whoever can do a transaction over uses it: one that ends with a serialization failure, a deadlock or a
 * lock timeout, be it at its COMMIT, is tried again, `tries` times in all. What it is given must be safe to call again,
 * and what consumes something on its way (a file, a request) is not.
 *
 * @throws from its scopes: the last error, when no try went through.
 */
export function patient(database: Database, { stop, onWait }: PatientOptions = {}): Database {
  const again = <T>(scope: () => Promise<T>, tries = PATIENCE.attempts): Promise<T> =>
    retry(
      (attempt) => {
        if (attempt > 1) stop?.throwIfAborted();
        return scope();
      },
      {
        ...PATIENCE,
        attempts: tries,
        when: isRetryable,
        onRetry: ({ error }) => onWait?.('another session was in the way; trying again', sqlStateOf(error)),
      },
    );
  return {
    where: database.where,
    withSession: (fn) => database.withSession(fn),
    transaction: (fn, options) => again(() => database.transaction(fn, options), options?.tries),
    readOnly: (fn, options) => again(() => database.readOnly(fn, options), options?.tries),
    abandon: () => {
      database.abandon();
    },
    cancelRunning: () => database.cancelRunning(),
    close: () => database.close(),
  };
}
