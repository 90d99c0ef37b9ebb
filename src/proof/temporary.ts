import type { WriteSession } from '../database/session.js';
import { isPermission, isReadOnly } from '../database/sqlstate.js';
import { RefusedError } from '../errors.js';

/**
 * Makes a temporary table for tokens from outside: bound values would stand in the log of a server that logs its
 * statements; what is copied into a table is never logged.
 *
 * @throws RefusedError `temporary_tables` where this role, or this server, makes none
 */
export async function makeTemporary(session: WriteSession, table: string): Promise<void> {
  try {
    await session.query(`CREATE TEMPORARY TABLE ${table} ON COMMIT DROP`);
  } catch (error) {
    if (!isPermission(error) && !isReadOnly(error)) throw error;
    throw new RefusedError(
      'temporary_tables',
      'tokens are looked up by way of a temporary table, and this role, or this server, makes none',
      {
        cause: error,
        anchor: 'temporary-tables',
        hint: 'GRANT TEMPORARY ON DATABASE … to the role, or ask the primary where this is a replica.',
      },
    );
  }
}
