import { withSeparateConnection } from '../database/separate-connection.js';
import type { Wait } from '../database/waiting.js';

const LOOK_EVERY_MS = 2_000;
const TIMEOUT_MS = 5_000;

/**
 * Our server processes at work, by a name that no other run has: the process id a connection is told at its start is
 * the pooler's invention where there is one, and may be another session's.
 */
const OURS = `pg_catalog.pg_stat_activity ours
  WHERE ours.datname = current_database() AND starts_with(ours.application_name, $1) AND ours.state = 'active'`;

/**
 * What our session at work waits for: who blocks it, and for how long that one has been in its transaction. A row
 * without a process: it waits for nobody. No row: none is at work, as between two tries.
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
  /** The name of the sessions whose waiting is looked at. */
  application: string;
  /** Told each time whom it waits for; null: nobody any more. */
  onWait: (wait: Wait | null) => void;
}

/**
 * Tells, while a DDL step runs, whom it waits for: an index built CONCURRENTLY waits for every older transaction,
 * and an operator must not take that for a hang. Returns a function that ends the watch.
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

/** Asks in a connection of its own, since the watched one is busy. */
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
