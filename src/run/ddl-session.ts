import type pg from 'pg';
import { suppressRowLogging } from '../database/row-logging.js';
import { liftTransactionTimeout } from '../database/transaction-timeout.js';

/** What Knex holds of pg. `processID` is the server process that the connection was told of at its start. */
export type DdlConnection = pg.Client & { processID: number; connection: { stream: { destroy(): void } } };

/**
 * Makes a new connection ready for DDL. It gets its name here, whatever the URL says. A build CONCURRENTLY runs outside
 * of any transaction, where SET LOCAL does nothing: limits that role or database put on statements are lifted for the
 * session, nothing is compiled, names are sought where keylift seeks them, and a scan of a whole table is no reason to
 * turn a serializable writer away, as long as it is ours. A pooler lends it to somebody else next.
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
