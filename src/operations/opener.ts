import type { Database } from '../database/connect.js';
import type { OnTransaction } from '../database/transaction-name.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { OpenDatabase } from './opened.js';

export interface OpenerOptions {
  /** The database of the operation. */
  url: string | undefined;
  /** After it, no scope begins. */
  stop: AbortSignal;
  /** Gets each database that is opened; the caller closes them. */
  opened: Database[];
  onTransaction?: OnTransaction;
}

/** Opens databases for an operation: nothing begins after a stop, and no name resolves outside of the catalog. */
export function openerOf({ url: own, stop, opened, onTransaction }: OpenerOptions): OpenDatabase {
  return async ({ url = own, ...options } = {}) => {
    if (url === undefined) throw noDatabase();
    // Imported only here: pg is slow to load, and a command line with a fault does not need it.
    const [{ openDatabase }, { withSearchPath, CATALOG_ALONE }, { withStop }] = await Promise.all([
      import('../database/connect.js'),
      import('../database/with-search-path.js'),
      import('../database/with-stop.js'),
    ]);
    const database = withStop(
      withSearchPath(await openDatabase(url, { onTransaction, ...options }), CATALOG_ALONE),
      stop,
    );
    opened.push(database);
    return database;
  };
}

/** The operation needs a database, and none is named. */
export const noDatabase = (): KeyliftError => keyliftError('database_url_missing', { message: 'no database is named' });
