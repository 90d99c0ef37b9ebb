import type { Wait } from './waiting.js';

/** An autovacuum that keeps out whoever wants a table for itself. */
export interface Vacuum {
  table: string;
  /** How long to wait at least, in milliseconds, for PostgreSQL to have it give way. */
  outlastMs: number;
}

/** For the worker to notice, to let go, and for the lock to be handed on. */
const TO_LET_GO_MS = 500;

/**
 * PostgreSQL ends an autovacuum for a session that has waited for its lock as long as `deadlock_timeout`, and for no
 * other: a step whose every try is shorter would wait for the whole vacuum. One against wraparound is never ended. A role
 * that may not see what a session is takes it for an autovacuum, and waits that long for nothing.
 */
const IN_THE_WAY = `
  SELECT l.relation::regclass::text AS "table", (SELECT s.setting::int FROM pg_catalog.pg_settings s WHERE s.name = 'deadlock_timeout') AS detector
  FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'relation' AND l.granted AND l.mode = 'ShareUpdateExclusiveLock'
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())
    AND coalesce(a.backend_type, 'autovacuum worker') = 'autovacuum worker' AND coalesce(a.query, '') NOT LIKE '%to prevent wraparound%'
    AND l.relation IN (
      SELECT to_regclass(t.name) FROM unnest($1::text[]) AS t (name)
      UNION ALL SELECT p.relid FROM unnest($1::text[]) AS t (name), pg_partition_tree(to_regclass(t.name)) p
      UNION ALL SELECT c.oid FROM pg_catalog.pg_class c WHERE c.relnamespace = to_regnamespace('keylift'))
  LIMIT 1`;

interface Asked {
  query(sql: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

/** The autovacuum that is at work on one of these tables, quoted as in SQL, or on one of keylift's own. */
export async function vacuumInTheWay(session: Asked, tables: readonly string[]): Promise<Vacuum | null> {
  const { rows } = await session.query(IN_THE_WAY, [tables]);
  const [row] = rows as { table: string; detector: number }[];
  return row === undefined ? null : { table: row.table, outlastMs: row.detector + TO_LET_GO_MS };
}

/** What the operator is told while a try that long is under way. */
export const waitFor = ({ table }: Vacuum): Wait => ({
  kind: 'vacuum',
  text: `autovacuum is at work on ${table}; PostgreSQL has it give way`,
});
