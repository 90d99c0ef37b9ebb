import type { Database } from './connect.js';

/** Where a statement that knows no operator's expression looks names up: nothing of anybody's can stand in for PostgreSQL's own. */
export const CATALOG_ALONE = 'pg_catalog, pg_temp';

/**
 * The database with every transaction looking names up in `searchPath` (quoted, as in SQL), whatever role or database
 * say: a function of somebody's, for just the types at hand, would fit better than PostgreSQL's own. Set anew in each
 * transaction, as a pooler gives a session's settings to others. Sessions outside of transactions keep theirs.
 */
export function pinned(database: Database, searchPath: string): Database {
  return {
    where: database.where,
    withSession: (fn) => database.withSession(fn),
    readOnly: (fn, options) => database.readOnly(fn, { searchPath, ...options }),
    transaction: (fn, options) => database.transaction(fn, { searchPath, ...options }),
    abandon: () => {
      database.abandon();
    },
    cancelRunning: () => database.cancelRunning(),
    close: () => database.close(),
  };
}
