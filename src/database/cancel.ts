import { beside } from './beside.js';

/** Whoever stops is in a hurry: a server that does not answer by then is left to notice by itself. */
const CANCELLING = { application: 'keylift-cancel', timeoutMs: 2_000 } as const;

/** Behind a pooler the process ids a session is told are invented, and may be somebody else's: only ours are ended. */
const CANCEL = `
  SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a
  WHERE a.pid = ANY ($1::int[]) AND a.datname = current_database() AND starts_with(a.application_name, 'keylift')`;

/** Ends what these server processes are doing; a failure only means a later end. */
export async function cancelBackends(url: string, backends: Iterable<number>): Promise<void> {
  await beside(url, CANCELLING, (client) => client.query(CANCEL, [[...backends]])).catch(() => undefined);
}
