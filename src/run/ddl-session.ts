import type pg from 'pg';
import { literal } from '../database/sql.js';
import { suppressRowLogging } from '../database/row-logging.js';
import { liftTransactionTimeout } from '../database/transaction-timeout.js';

/** A connection of Knex. `processID` is the server process that the server named at its start. */
export type DdlConnection = pg.Client & { processID: number; connection: { stream: { destroy(): void } } };

/**
 * Statements that set the search path of DDL, for the transaction or the session. An event trigger of the platform finds
 * its objects on the path of role and database, which then follows pg_catalog.
 */
export function ddlPath({ searchPath }: { searchPath: string }, scope: 'transaction' | 'session'): string {
  const isLocal = String(scope === 'transaction');
  return `SET ${scope === 'transaction' ? 'LOCAL' : 'SESSION'} search_path TO DEFAULT;
    SELECT pg_catalog.set_config('keylift.platform_path', path, ${isLocal}),
      pg_catalog.set_config('search_path', CASE
        WHEN EXISTS (SELECT FROM pg_catalog.pg_event_trigger WHERE evtenabled OPERATOR(pg_catalog.<>) 'D')
          THEN pg_catalog.concat('pg_catalog, ', path)
        ELSE ${literal(searchPath)} END, ${isLocal})
    FROM pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp') AS path`;
}

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
       SET default_transaction_read_only = off; SET jit = off; ${ddlPath({ searchPath }, 'session')}; ${liftTransactionTimeout('session')}`,
    );
}
