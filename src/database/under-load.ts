import { setTimeout as sleep } from 'node:timers/promises';
import type { Wait } from './waiting.js';
import { vacuumInTheWay, waitFor } from './autovacuum.js';
import type { Database } from './connect.js';
import { pauseBefore } from './retry.js';
import type { WriteSession } from './session.js';
import { isRetryable, sqlStateOf } from './sqlstate.js';

/** Below the deadlock detector's second: it is keylift that gives way, never the platform's session. */
const LOCK_TIMEOUT_MS = 500;

export interface UnderLoadOptions {
  stop?: AbortSignal | undefined;
  /** Told before each further try, and with null once one is through or none is made any more. */
  onWait?: ((wait: Wait | null) => void) | undefined;
  asynchronousCommit?: boolean;
  /** It wants one of keylift's own tables for itself, where an autovacuum may be in the way. */
  wholeTable?: boolean;
}

/**
 * A transaction over rows that the platform changes meanwhile. Its writers take an account key and its rows in either
 * order, so no order of ours rules a deadlock out: the transaction gives way, and is tried until it is through. `work`
 * is told the attempt, from 1, so that it can come by another order next time.
 */
export async function underLoad<T>(
  database: Database,
  work: (session: WriteSession, attempt: number) => Promise<T>,
  { stop, onWait, wholeTable = false, ...write }: UnderLoadOptions = {},
): Promise<T> {
  const tries = { made: 0, lockTimeoutMs: LOCK_TIMEOUT_MS };
  try {
    for (;;) {
      stop?.throwIfAborted();
      tries.made += 1;
      try {
        return await database.transaction((session) => work(session, tries.made), {
          ...write,
          lockTimeoutMs: tries.lockTimeoutMs,
          tries: 1,
        });
      } catch (error) {
        if (!isRetryable(error)) throw error;
        const vacuum = wholeTable ? await database.readOnly((session) => vacuumInTheWay(session, [])) : null;
        tries.lockTimeoutMs = Math.max(LOCK_TIMEOUT_MS, vacuum?.outlastMs ?? 0);
        onWait?.(
          vacuum === null
            ? { kind: 'lock', text: 'a session that changed keys has not committed yet', sqlstate: sqlStateOf(error) }
            : waitFor(vacuum),
        );
        await sleep(pauseBefore(tries.made, { baseMs: 100, maxMs: 2_000 }));
      }
    }
  } finally {
    if (tries.made > 1) onWait?.(null);
  }
}
