import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { HEARTBEAT_SECONDS } from './runs.js';
import { moment } from './moment.js';

/** A run that missed this many seconds of heartbeats may be dead; another run with fresh heartbeats comes first. */
export const SILENT_SECONDS = HEARTBEAT_SECONDS * 4;

/**
 * The run to show and to steer, as `r`, joined to `keylift.control c`: of the runs that have their lease, those with a
 * fresh heartbeat first, then the run that leads, then the oldest. A run that helps works also while no run leads.
 */
export const JOIN_RUN_AT_WORK = sql`
  LEFT JOIN LATERAL (
    SELECT live.* FROM keylift.runs live
    WHERE live.ended_at IS NULL AND live.lease_until > clock_timestamp()
    ORDER BY live.heartbeat_at < clock_timestamp() - interval '${SILENT_SECONDS} seconds',
      live.run_id IS DISTINCT FROM c.owner, live.started_at
    LIMIT 1
  ) r ON true`;

/** A run without an end whose lease has ended: its process was killed, or it lost the database. */
export interface SilentRun {
  id: string;
  command: string;
  host: string;
  pid: number;
  /** The last heartbeat: ISO 8601, and its age. */
  heartbeat_at: string;
  heartbeat_seconds: number;
}

/** The latest run, if it went silent. A run that began after it has taken its place. */
const SILENT = sql`
  SELECT r.run_id AS id, r.command, r.host, r.pid, ${moment('r.heartbeat_at')} AS heartbeat_at,
    round(extract(epoch FROM clock_timestamp() - r.heartbeat_at))::int AS heartbeat_seconds
  FROM (SELECT * FROM keylift.runs ORDER BY heartbeat_at DESC LIMIT 1) r
  WHERE r.exit_code IS NULL AND r.lease_until <= clock_timestamp()`;

/** Reads the ledger, which must be there. */
export const readSilentRun = async (session: ReadSession): Promise<SilentRun | null> =>
  (await session.first<SilentRun>(SILENT)) ?? null;
