import { keyliftError } from '../errors/keylift-error.js';
import type { Database } from './connect.js';
import type { WriteOptions } from './scopes.js';
import type { ReadSession, WriteSession } from './session.js';
import { isPermission, isReadOnly } from './sqlstate.js';

export interface TemporaryRows {
  /** Name of the table, and its columns with their types. */
  table: string;
  columns: Record<string, string>;
  /** The rows in COPY's text format. */
  rows: AsyncIterable<string>;
}

/**
 * Runs `fn` in a transaction that has these rows in a temporary table and is READ ONLY. This is how tokens from a file reach
 * the server: bound values appear in the log of a server that logs its statements, and copied rows never do.
 *
 * @throws `temporary_tables` where this role or this server cannot create one
 */
export const withTemporaryRows = <T>(
  database: Database,
  { table, columns, rows }: TemporaryRows,
  fn: (session: ReadSession) => Promise<T>,
  options: Pick<WriteOptions, 'name' | 'isolation'>,
): Promise<T> =>
  database.transaction(async (session) => {
    const definitions = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
    await createTemporary(session, `${table} (${definitions.join(', ')})`);
    await session.query('SET TRANSACTION READ ONLY');
    await session.copyIn(`COPY pg_temp.${table} (${Object.keys(columns).join(', ')}) FROM STDIN`, rows);
    return fn(session);
  }, options);

async function createTemporary(session: WriteSession, table: string): Promise<void> {
  try {
    await session.query(`CREATE TEMPORARY TABLE ${table} ON COMMIT DROP`);
  } catch (error) {
    if (!isPermission(error) && !isReadOnly(error)) throw error;
    throw keyliftError('temporary_tables', {
      message: 'keylift looks tokens up through a temporary table, and this role or this server cannot create one',
      cause: error,
    });
  }
}
