import type { ReadSession } from '../database/session.js';
import { isDeadHere, type Owner } from './runs.js';

/** The run that leads now, or null. A run whose process ended on this machine leads no more. The ledger must exist. */
export async function readLeadingRun(session: ReadSession): Promise<Owner | null> {
  const owner = await session.first<Owner>(
    `SELECT r.run_id, r.command, r.host, r.pid, r.heartbeat_at::text AS heartbeat_at,
       ceil(extract(epoch FROM c.owned_until - clock_timestamp()))::int AS seconds_left
     FROM keylift.control c JOIN keylift.runs r ON r.run_id = c.owner
     WHERE c.owned_until > clock_timestamp()`,
  );
  return owner === undefined || isDeadHere(owner) ? null : owner;
}
