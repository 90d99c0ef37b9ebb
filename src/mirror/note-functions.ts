import type { InstalledFunction } from '../database/plpgsql.js';
import { commaList, literal, sql, type Statement } from '../database/sql.js';

/** SQL over a row `p` of pg_proc: what a function does, and with whose rights. */
export const FUNCTION_DIGEST = sql`
  hashtextextended(
    concat_ws('|', p.prosrc, p.prosecdef, p.proconfig) COLLATE "C", 0)::text`;

/** Notes functions as keylift installed them, so that a later look finds one that was replaced or dropped. */
export const noteFunctions = (functions: readonly InstalledFunction[]): Statement => ({
  title: 'note the functions that were installed',
  text: sql`
    DELETE FROM keylift.installed_functions f
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname = f.name
    );
    INSERT INTO keylift.installed_functions (name, digest)
    SELECT p.proname, ${FUNCTION_DIGEST}
    FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'keylift'::regnamespace
      AND p.proname IN (
        ${commaList(functions.map(({ name }) => literal(name)))})
    ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;`,
});

export const functionsTable: Statement = {
  title: 'table keylift.installed_functions',
  text: sql`
    CREATE TABLE keylift.installed_functions (
      name name PRIMARY KEY,
      digest text NOT NULL
    );`,
};

export const dropFunctionsTable: Statement = {
  title: 'drop the list of functions',
  text: 'DROP TABLE IF EXISTS keylift.installed_functions;',
};
