import type { Database } from '../../database/connect.js';
import { hiddenSessions } from '../../database/hidden-sessions.js';
import type { ReadSession } from '../../database/session.js';
import type { Reason } from '../../run/throttle.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { Steering } from './steering.js';

/** Looks for a reason to wait: the first that holds. */
export async function reasonToWait(
  database: Database,
  { legacy: l }: MappedSchema,
  steering: Steering,
): Promise<Reason> {
  if (steering.paused) return { kind: 'paused', text: 'paused by an operator; to continue: keylift resume' };
  return database.readOnly(
    async (session) =>
      (await lagReason(session, steering.maxLag)) ??
      (await blockedReason(session)) ??
      (await activeReason(session, steering.maxActive)) ??
      (await vacuumReason(session, [l.keys, l.target])),
  );
}

/** Replicas that are connected now. */
export async function countReplicas(session: ReadSession): Promise<number> {
  const { replicas } = await session.one<{ replicas: string }>(
    'SELECT count(*) AS replicas FROM pg_catalog.pg_stat_replication',
  );
  return Number(replicas);
}

const LIFT = 'to continue without it: keylift tune --max-lag none';

/** A replica whose lag cannot be read counts as too far behind, and so does one that is not there. */
async function lagReason(session: ReadSession, maxLag: number | null): Promise<Reason> {
  if (maxLag === null) return null;
  const { replicas, unreadable, lag } = await session.one<{ replicas: string; unreadable: string; lag: number }>(
    `SELECT count(*) AS replicas, count(*) FILTER (WHERE state IS NULL) AS unreadable,
       coalesce(extract(epoch FROM max(replay_lag)), 0)::float8 AS lag
     FROM pg_catalog.pg_stat_replication`,
  );
  if (replicas === '0') return { kind: 'lag', text: `replica lag cannot be read: no replica is connected; ${LIFT}` };
  if (unreadable !== '0')
    return { kind: 'lag', text: `replica lag cannot be read: this role lacks pg_monitor; ${LIFT}` };
  return lag > maxLag
    ? { kind: 'lag', text: `a replica is ${lag.toFixed(1)} s behind; the limit is ${String(maxLag)} s` }
    : null;
}

async function blockedReason(session: ReadSession): Promise<Reason> {
  const { blocked } = await session.one<{ blocked: string }>(
    `WITH ours AS (SELECT array_agg(pid) AS pids FROM pg_catalog.pg_stat_activity
       WHERE datname = current_database() AND application_name LIKE 'keylift%')
     SELECT count(DISTINCT w.pid) AS blocked FROM pg_catalog.pg_locks w, ours
     WHERE NOT w.granted AND NOT w.pid = ANY (ours.pids) AND pg_blocking_pids(w.pid) && ours.pids`,
  );
  return blocked === '0'
    ? null
    : { kind: 'blocked', text: `${blocked} session${blocked === '1' ? ' is' : 's are'} waiting for a lock of keylift` };
}

/** Sessions that do not show their state count as too many. */
async function activeReason(session: ReadSession, maxActive: number | null): Promise<Reason> {
  if (maxActive === null) return null;
  if ((await hiddenSessions(session)) > 0) {
    return {
      kind: 'active',
      text: 'sessions at work cannot be counted: this role lacks pg_read_all_stats (--max-active was asked for)',
    };
  }
  const { active } = await session.one<{ active: string }>(
    `SELECT count(*) AS active FROM pg_catalog.pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND application_name NOT LIKE 'keylift%' AND state = 'active'`,
  );
  return Number(active) > maxActive
    ? { kind: 'active', text: `${active} sessions are at work; the limit is ${String(maxActive)}` }
    : null;
}

async function vacuumReason(session: ReadSession, tables: string[]): Promise<Reason> {
  const row = await session.first<{ name: string }>(
    `SELECT v.relid::regclass::text AS name FROM pg_catalog.pg_stat_progress_vacuum v
     JOIN pg_catalog.pg_stat_activity a ON a.pid = v.pid
     WHERE a.backend_type = 'autovacuum worker' AND v.datname = current_database() AND v.relid = ANY ($1::regclass[]) LIMIT 1`,
    [tables],
  );
  return row === undefined ? null : { kind: 'vacuum', text: `autovacuum is at work on ${row.name}` };
}
