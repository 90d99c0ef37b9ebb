import pg from 'pg';

const LOOK_EVERY_MS = 2_000;

/** Sessions that a waiting DDL step waits for: who, and for how long they have been in their transaction. */
const BLOCKERS = `
  SELECT b.pid, coalesce(nullif(b.application_name, ''), b.usename, '?') AS name,
    coalesce(extract(epoch FROM clock_timestamp() - b.xact_start)::int, 0) AS seconds
  FROM unnest($1::int[]) AS ours (pid), unnest(pg_blocking_pids(ours.pid)) AS blocking (pid)
  JOIN pg_catalog.pg_stat_activity b ON b.pid = blocking.pid ORDER BY b.xact_start LIMIT 1`;

interface Blocker {
  pid: number;
  name: string;
  seconds: number;
}

export interface WatchOptions {
  url: string;
  /** Server processes whose waiting is looked at. */
  backends: ReadonlySet<number>;
  onWait: (reason: string) => void;
}

/**
 * Tells, while a DDL step runs, whom it waits for: an index built CONCURRENTLY waits for every older transaction,
 * and an operator must not take that for a hang. Returns a function that ends the watch.
 */
export function watchWaiting({ url, backends, onWait }: WatchOptions): () => void {
  let looking = false;
  const timer = setInterval(() => {
    if (looking || backends.size === 0) return;
    looking = true;
    void look(url, backends)
      .then((blocker) => { if (blocker !== undefined) onWait(reasonOf(blocker)); }, () => undefined)
      .finally(() => { looking = false; });
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => { clearInterval(timer); };
}

/** Asks in a connection of its own, since the watched one is busy. */
async function look(url: string, backends: ReadonlySet<number>): Promise<Blocker | undefined> {
  const client = new pg.Client({ connectionString: url, application_name: 'keylift-watch' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query<Blocker>(BLOCKERS, [[...backends]])).rows[0];
  } finally {
    await client.end().catch(() => undefined);
  }
}

const reasonOf = ({ pid, name, seconds }: Blocker): string =>
  `process ${String(pid)} (${name}), in a transaction for ${String(seconds)} s, has to end before this step can go on`;
