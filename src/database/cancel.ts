import { withSeparateConnection } from './separate-connection.js';

/** The operator wants to leave: a server that does not answer by then notices the lost connection later. */
const CANCELLING = { application: 'keylift-cancel', timeoutMs: 2_000 } as const;

const CANCEL = `
  SELECT pg_cancel_backend(a.pid) FROM pg_catalog.pg_stat_activity a
  WHERE a.datname = current_database() AND a.state = 'active'`;

/** A pooler invents process ids, which may be those of other sessions: only sessions of keylift are cancelled. */
const THESE_PROCESSES = `${CANCEL} AND a.pid = ANY ($1::int[]) AND starts_with(a.application_name, 'keylift')`;
const THIS_APPLICATION = `${CANCEL} AND starts_with(a.application_name, $1)`;

/** Cancels the statements of these server processes. A failure only means that they end later. */
export const cancelProcesses = (url: string, processes: Iterable<number>): Promise<void> =>
  cancel(url, THESE_PROCESSES, [...processes]);

/** Cancels the statements of all sessions whose application name begins like this. */
export const cancelApplication = (url: string, application: string): Promise<void> =>
  cancel(url, THIS_APPLICATION, application);

async function cancel(url: string, statement: string, whose: unknown): Promise<void> {
  await withSeparateConnection(url, CANCELLING, (client) => client.query(statement, [whose])).catch(() => undefined);
}
