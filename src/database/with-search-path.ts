import type { Database } from './connect.js';

/** For statements without an expression of the operator: no object of another schema can replace one of PostgreSQL's. */
export const CATALOG_ALONE = 'pg_catalog, pg_temp';

/** The platform's path, for triggers that a statement fires; keylift's own where nothing says it. */
export const PLATFORM_PATH = `coalesce(nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path'))`;

/** Notes the path that role and database give a session, as the platform's. Two statements; the path itself stays changed. */
export const NOTE_DEFAULT_PATH = [
  'SET LOCAL search_path TO DEFAULT',
  `SELECT pg_catalog.set_config('keylift.platform_path',
    pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), true)`,
].join('; ');

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
