import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from './connect.js';
import { pauseBefore } from './retry.js';
import type { WriteSession } from './session.js';
import { isRetryable } from './sqlstate.js';

/** Below the deadlock detector's second: it is keylift that gives way, never the platform's session. */
const LOCK_TIMEOUT_MS = 500;

export interface UnderLoadOptions {
  stop?: AbortSignal | undefined;
  /** Told before each further try. */
  onWait?: ((reason: string) => void) | undefined;
  asynchronousCommit?: boolean;
}

/**
 * A transaction over rows that the platform changes meanwhile. Its writers take an account key and its rows in either
 * order, so no order of ours rules a deadlock out: the transaction gives way, and is tried until it is through.
 */
export async function underLoad<T>(
  database: Database,
  work: (session: WriteSession) => Promise<T>,
  { stop, onWait, ...write }: UnderLoadOptions = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    stop?.throwIfAborted();
    try {
      return await database.transaction(work, { ...write, lockTimeoutMs: LOCK_TIMEOUT_MS, tries: 1 });
    } catch (error) {
      if (!isRetryable(error)) throw error;
      onWait?.('a session that changed keys has not committed yet');
      await sleep(pauseBefore(attempt, { baseMs: 100, maxMs: 2_000 }));
    }
  }
}
