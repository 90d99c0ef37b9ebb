import type { WriteSession } from '../database/session.js';
import { isPermission, isReadOnly } from '../database/sqlstate.js';
import { keyliftError } from '../errors/keylift-error.js';

/**
 * Makes a temporary table for tokens from outside: bound values would stand in the log of a server that logs its
 * statements; what is copied into a table is never logged.
 *
 * @throws `temporary_tables` where this role, or this server, makes none
 */
export async function makeTemporary(session: WriteSession, table: string): Promise<void> {
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
