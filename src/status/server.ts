import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';

/** What the status reads from the server while a run is active. */
export interface ServerActivity {
  /** Lag of the slowest replica in seconds; null without a replica, or where this role may not see it. */
  lag: number | null;
  /** The progress of an index build as a sentence; null while there is none. */
  building: string | null;
}

const LAG = sql`
  SELECT CASE WHEN count(*) > 0 AND bool_and(state IS NOT NULL)
    THEN coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 END AS lag
  FROM pg_catalog.pg_stat_replication`;

/** Some phases count blocks, some tuples, some neither. */
const BUILDING = sql`
  SELECT phase, CASE
      WHEN blocks_total > 0 THEN blocks_done * 100 / blocks_total
      WHEN tuples_total > 0 THEN tuples_done * 100 / tuples_total
    END::int AS percent
  FROM pg_catalog.pg_stat_progress_create_index
  WHERE datname = current_database() AND relid = to_regclass($1)`;

/** Reads the lag of replicas, and the progress of an index build on this table. */
export async function readServerActivity(session: ReadSession, table: string): Promise<ServerActivity> {
  const { lag } = await session.one<{ lag: number | null }>(LAG);
  const build = await session.first<{ phase: string | null; percent: number | null }>(BUILDING, [table]);
  return { lag, building: build === undefined ? null : buildingText(build) };
}

function buildingText({ phase, percent }: { phase: string | null; percent: number | null }): string {
  const part = percent === null ? '' : `, ${String(percent)}%`;
  return `an index is being built${phase === null ? '' : `: ${phase.replace(/^building index: /, '')}`}${part}`;
}
