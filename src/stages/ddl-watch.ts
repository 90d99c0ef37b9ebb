import { beside } from '../database/beside.js';

const LOOK_EVERY_MS = 2_000;
const TIMEOUT_MS = 5_000;

/**
 * Our server processes at work, by a name that no other run has: the process id a connection is told at its start is
 * the pooler's invention where there is one, and may be another session's.
 */
const OURS = `pg_catalog.pg_stat_activity ours
  WHERE ours.datname = current_database() AND starts_with(ours.application_name, $1) AND ours.state = 'active'`;

/** Sessions that a waiting DDL step waits for: who, and for how long they have been in their transaction. */
const BLOCKERS = `
  SELECT b.pid, coalesce(nullif(b.application_name, ''), b.usename, '?') AS name,
    coalesce(extract(epoch FROM clock_timestamp() - b.xact_start)::int, 0) AS seconds
  FROM (SELECT ours.pid FROM ${OURS}) ours, pg_catalog.unnest(pg_blocking_pids(ours.pid)) AS blocking (pid)
  JOIN pg_catalog.pg_stat_activity b ON b.pid = blocking.pid ORDER BY b.xact_start LIMIT 1`;

const CANCEL = `SELECT pg_cancel_backend(ours.pid) FROM ${OURS}`;

interface Blocker {
  pid: number;
  name: string;
  seconds: number;
}

export interface WatchOptions {
  url: string;
  /** The name of the sessions whose waiting is looked at. */
  application: string;
  onWait: (reason: string) => void;
}

/**
 * Tells, while a DDL step runs, whom it waits for: an index built CONCURRENTLY waits for every older transaction,
 * and an operator must not take that for a hang. Returns a function that ends the watch.
 */
export function watchWaiting({ url, application, onWait }: WatchOptions): () => void {
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    void look(url, application)
      .then((blocker) => { if (blocker !== undefined) onWait(reasonOf(blocker)); }, () => undefined)
      .finally(() => { looking = false; });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => { clearInterval(timer); };
}

/** Asks in a connection of its own, since the watched one is busy. */
const look = (url: string, application: string): Promise<Blocker | undefined> =>
  beside(url, { application: 'keylift-watch', timeoutMs: TIMEOUT_MS }, async (client) => (await client.query<Blocker>(BLOCKERS, [application])).rows[0]);

const reasonOf = ({ pid, name, seconds }: Blocker): string =>
  `process ${String(pid)} (${name}), in a transaction for ${String(seconds)} s, has to end before this step can go on`;

/** Ends what the sessions of this name are doing, from a connection of its own; a failure only means that the step ends later. */
export async function cancelSessions(url: string, application: string): Promise<void> {
  await beside(url, { application: 'keylift-cancel', timeoutMs: TIMEOUT_MS }, (client) => client.query(CANCEL, [application])).catch(() => undefined);
}
