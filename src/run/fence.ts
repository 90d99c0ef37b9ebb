import type { Database } from '../database/connect.js';
import type { ReadSession } from '../database/session.js';
import { leaseLost, type Run } from '../ledger/runs.js';

/**
 * Checks, inside the transaction that is about to write, that the run still has its lease, and the lead if it had it: a
 * process that was suspended for longer than its lease must not write.
 *
 * @throws `lease_lost`.
 */
export async function requireLease(session: ReadSession, run: Run): Promise<void> {
  const held = await session.first(
    `SELECT FROM keylift.runs r WHERE run_id = $1 AND ended_at IS NULL AND lease_until > clock_timestamp()
       AND (NOT $2 OR EXISTS (SELECT FROM keylift.control WHERE owner = r.run_id))`,
    [run.runId, run.leads],
  );
  if (held === undefined) throw leaseLost();
}

/** The database of a run: every transaction that may write begins with the check of the lease. */
export const withFence = (database: Database, run: Run): Database => ({
  ...database,
  transaction: (fn, options) =>
    database.transaction(async (session, attempt) => {
      await requireLease(session, run);
      return fn(session, attempt);
    }, options),
});
