import type pg from 'pg';
import { suppressRowLogging } from '../database/row-logging.js';
import { liftTransactionTimeout } from '../database/transaction-timeout.js';

/** A connection of Knex. `processID` is the server process that the server named at its start. */
export type DdlConnection = pg.Client & { processID: number; connection: { stream: { destroy(): void } } };

/**
 * Prepares a new connection for DDL. Its name is set here, whatever the URL says. CREATE INDEX CONCURRENTLY runs outside
 * a transaction, where SET LOCAL has no effect, so the session itself gets keylift's limits, isolation and search path:
 * in a serializable transaction the scan of a whole table would make writers fail. A pooler lends the session to others,
 * so nothing is set there: another process answers than the connection was opened to.
 */
export async function prepareSession(
  connection: DdlConnection,
  { application, searchPath }: { application: string; searchPath: string },
): Promise<void> {
  await suppressRowLogging(connection);
  await connection.query(`SET application_name = '${application}'`);
  const {
    rows: [row],
  } = await connection.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  if (row!.pid === connection.processID)
    await connection.query(
      `SET statement_timeout = 0; SET lock_timeout = 0; SET default_transaction_isolation = 'read committed';
       SET default_transaction_read_only = off; SET jit = off; SET search_path = ${searchPath}; ${liftTransactionTimeout('session')}`,
    );
}
