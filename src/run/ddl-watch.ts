import { withSeparateConnection } from '../database/separate-connection.js';
import type { Wait } from '../database/waiting.js';

const LOOK_EVERY_MS = 2_000;
const TIMEOUT_MS = 5_000;

/**
 * The active sessions of this run, by a name that no other run has. A process id would not do: a pooler invents those,
 * and they may belong to other sessions.
 */
const OURS = `pg_catalog.pg_stat_activity ours
  WHERE ours.datname = current_database() AND starts_with(ours.application_name, $1) AND ours.state = 'active'`;

/**
 * The session that blocks ours, and how long its transaction has taken. A row without a process: no session blocks it.
 * No row: ours is not active, as between two tries.
 */
const BLOCKERS = `
  SELECT b.pid, coalesce(nullif(b.application_name, ''), b.usename, b.backend_type, '?') AS name,
    coalesce(extract(epoch FROM clock_timestamp() - b.xact_start)::int, 0) AS seconds
  FROM (SELECT ours.pid FROM ${OURS}) ours LEFT JOIN LATERAL pg_catalog.unnest(pg_blocking_pids(ours.pid)) AS blocking (pid) ON true
  LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid = blocking.pid ORDER BY b.xact_start LIMIT 1`;

interface Blocker {
  pid: number | null;
  name: string;
  seconds: number;
}

export interface WatchOptions {
  url: string;
  /** The name of the watched sessions. */
  application: string;
  /** Called after each look with the session that blocks; null: none does. */
  onWait: (wait: Wait | null) => void;
}

/**
 * Watches which session a step of DDL waits for. CREATE INDEX CONCURRENTLY waits for every older transaction, and the
 * operator must see that it does not hang. Returns a function that ends the watch.
 */
export function watchWaiting({ url, application, onWait }: WatchOptions): () => void {
  const watch = { looking: false, ended: false };
  const timer = setInterval(() => {
    if (watch.looking) return;
    watch.looking = true;
    void look(url, application)
      .then(
        (blocker) => {
          if (blocker !== undefined && !watch.ended) onWait(waitOf(blocker));
        },
        () => undefined,
      )
      .finally(() => {
        watch.looking = false;
      });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => {
    watch.ended = true;
    clearInterval(timer);
  };
}

/** Uses a connection of its own, since the watched one is busy. */
const look = (url: string, application: string): Promise<Blocker | undefined> =>
  withSeparateConnection(
    url,
    { application: 'keylift-watch', timeoutMs: TIMEOUT_MS },
    async (client) => (await client.query<Blocker>(BLOCKERS, [application])).rows[0],
  );

function waitOf({ pid, name, seconds }: Blocker): Wait | null {
  if (pid === null) return null;
  return {
    kind: 'lock',
    text: `process ${String(pid)} (${name}), in a transaction for ${String(seconds)} s, has to end before this step can go on`,
  };
}
