import pg from 'pg';

const APPLICATION = 'keylift-cancel';
/** Whoever stops is in a hurry: a server that does not answer by then is left to notice by itself. */
const TIMEOUT_MS = 2_000;

/** Behind a pooler the process ids a session is told are invented, and may be somebody else's: only ours are ended. */
const CANCEL = `
  SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a
  WHERE a.pid = ANY ($1::int[]) AND a.datname = current_database() AND starts_with(a.application_name, 'keylift')`;

/** Ends what these server processes are doing, from a connection of its own; a failure only means a later end. */
export async function cancelBackends(url: string, backends: Iterable<number>): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: APPLICATION, connectionTimeoutMillis: TIMEOUT_MS, query_timeout: TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(CANCEL, [[...backends]]);
  } catch {
    // What runs ends by itself, later.
  } finally {
    await client.end().catch(() => undefined);
  }
}
