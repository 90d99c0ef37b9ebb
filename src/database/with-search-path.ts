import type { Database } from './connect.js';

/** For statements without an expression of the operator: no object of another schema can replace one of PostgreSQL's. */
export const CATALOG_ALONE = 'pg_catalog, pg_temp';

/**
 * The database with `searchPath` (quoted, as in SQL) in every transaction, whatever the role or the database sets: a
 * function of the platform whose types fit better would replace PostgreSQL's own. Each transaction sets it again, since
 * a pooler lends the session to others. Sessions outside a transaction keep their own path.
 */
export const withSearchPath = (database: Database, searchPath: string): Database => ({
  ...database,
  transaction: (fn, options) => database.transaction(fn, { searchPath, ...options }),
  readOnly: (fn, options) => database.readOnly(fn, { searchPath, ...options }),
});
