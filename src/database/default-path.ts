import { sql } from './sql.js';

/** The platform's path, for triggers that a statement fires; keylift's own where nothing says it. */
export const PLATFORM_PATH = sql`
  coalesce(
    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
  )`;

/** Notes the path that role and database give a session, as the platform's. Two statements; the path itself stays changed. */
export const NOTE_DEFAULT_PATH = [
  'SET LOCAL search_path TO DEFAULT',
  `SELECT pg_catalog.set_config('keylift.platform_path',
    pg_catalog.concat_ws(', ', nullif(pg_catalog.current_setting('search_path'), ''), 'pg_temp'), true)`,
].join('; ');
