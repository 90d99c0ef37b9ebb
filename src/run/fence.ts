import type { Database } from '../database/connect.js';
import type { ReadSession } from '../database/session.js';
import { leaseLost, type Run } from '../ledger/runs.js';

/**
 * Asks, inside the transaction that is about to write, whether the run's lease still holds, and for a run that leads
 * whether it still does: a process that was stopped past its lease and woken must not write.
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

/** The database as a run under a lease may use it: every transaction that may write begins with the fencing check. */
export function fenced(database: Database, run: Run): Database {
  return {
    where: database.where,
    withSession: (fn) => database.withSession(fn),
    readOnly: (fn, options) => database.readOnly(fn, options),
    abandon: () => {
      database.abandon();
    },
    cancelRunning: () => database.cancelRunning(),
    close: () => database.close(),
    transaction: (fn, options) =>
      database.transaction(async (session) => {
        await requireLease(session, run);
        return fn(session);
      }, options),
  };
}
