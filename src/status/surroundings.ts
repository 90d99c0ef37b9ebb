import type { ReadSession } from '../database/session.js';

/** What is read beside the ledger while a run is at work. */
export interface Surroundings {
  /** Seconds the furthest replica is behind; null where none is connected or this role may not look. */
  lag: number | null;
  /** What an index build is doing, in words; null while none is under way. */
  building: string | null;
}

const LAG = `
  SELECT CASE WHEN count(*) > 0 AND bool_and(state IS NOT NULL) THEN coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 END AS lag
  FROM pg_catalog.pg_stat_replication`;

/** A phase without a count of blocks has one of tuples, or none. */
const BUILDING = `
  SELECT phase, CASE WHEN blocks_total > 0 THEN blocks_done * 100 / blocks_total WHEN tuples_total > 0 THEN tuples_done * 100 / tuples_total END::int AS percent
  FROM pg_catalog.pg_stat_progress_create_index WHERE datname = current_database() AND relid = to_regclass($1)`;

/** Looks at replicas and at an index build on this table. */
export async function readSurroundings(session: ReadSession, table: string): Promise<Surroundings> {
  const { lag } = await session.one<{ lag: number | null }>(LAG);
  const build = await session.first<{ phase: string | null; percent: number | null }>(BUILDING, [table]);
  return { lag, building: build === undefined ? null : buildingText(build) };
}

function buildingText({ phase, percent }: { phase: string | null; percent: number | null }): string {
  const part = percent === null ? '' : `, ${String(percent)}%`;
  return `an index is being built${phase === null ? '' : `: ${phase.replace(/^building index: /, '')}`}${part}`;
}
