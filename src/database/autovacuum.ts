import type { Wait } from './waiting.js';

/** An autovacuum whose lock keeps a session from locking a whole table. */
export interface Vacuum {
  table: string;
  /** A session that waits this long, in milliseconds, has PostgreSQL end the autovacuum. */
  outlastMs: number;
}

/** The time in which the worker ends and the session gets the lock. */
const TO_LET_GO_MS = 500;

/**
 * PostgreSQL ends an autovacuum when a session has waited for its lock for `deadlock_timeout`. Shorter tries would wait
 * for the whole vacuum. An autovacuum against wraparound is never ended. A role that cannot see the type of a session
 * takes it for an autovacuum, and waits that long without effect.
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

interface Queryable {
  query(sql: string, values: unknown[]): Promise<{ rows: unknown[] }>;
}

/** An autovacuum of one of these tables, quoted as in SQL, or of one of keylift's own. */
export async function vacuumInTheWay(session: Queryable, tables: readonly string[]): Promise<Vacuum | null> {
  const { rows } = await session.query(IN_THE_WAY, [tables]);
  const [row] = rows as { table: string; detector: number }[];
  return row === undefined ? null : { table: row.table, outlastMs: row.detector + TO_LET_GO_MS };
}

/** The reason for a try that takes that long. */
export const waitFor = ({ table }: Vacuum): Wait => ({
  kind: 'vacuum',
  text: `autovacuum is at work on ${table}; PostgreSQL has it give way`,
});
