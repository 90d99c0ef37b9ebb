import { parseTableName } from '../config/identifiers.js';
import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { literal, sql } from '../database/sql.js';
import { PLATFORM_PATH } from '../database/default-path.js';
import type { MappedSchema } from '../mapping/inspect.js';

/*
 * keylift's functions look names up on a search path of their own, so that no object of another schema replaces one of
 * PostgreSQL's. The platform's triggers that a write of keylift fires expect the path of the platform's session. So a
 * statement that writes is analysed on keylift's path, and changes to the platform's path when it begins to run.
 */

/** In the WHERE of a statement that writes: evaluated once, before its first row. */
export const ON_PLATFORM_PATH = sql`
  (
    SELECT set_config(
      'search_path',
      ${PLATFORM_PATH},
      true)
  ) IS NOT NULL`;

/** Behind such a statement, in a function with a text variable `path`. */
export const backOnOwnPath = ({ searchPath }: Pick<MappedSchema, 'searchPath'>): string =>
  `path := pg_catalog.set_config('search_path', ${literal(searchPath)}, true);`;

/** The variable that `backOnOwnPath` needs. */
export const PATH_VARIABLE = 'path text;';

export const platformPath = ({ legacy: l, settings }: MappedSchema): InstalledFunction => {
  const home = parseTableName(settings.legacy.keys.table).schema ?? 'public';
  return installedFunction({
    name: 'platform_path',
    parameters: [
      { name: 'path', type: 'text' },
      { name: 'schemas', type: 'name[]' },
    ],
    returns: 'text',
    attributes: 'STABLE',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      The search path of the platform's triggers, which run with the rights of keylift here. It leaves out each schema
      in which the session's user may create objects: one of them could take the place of the object that a trigger
      means. The schema of the legacy table stays, and so does every schema where the user owns that table. Temporary
      objects come last.`,
    body: sql`
      BEGIN
        IF platform_path.schemas = ARRAY[${literal(home)}::name] THEN
          RETURN quote_ident(${literal(home)}) || ', pg_temp';
        END IF;
        RETURN concat_ws(', ', (
          SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY s.position)
          FROM unnest(
              CASE WHEN platform_path.path LIKE '%$user%' THEN ARRAY[session_user::name] ELSE '{}' END
              || platform_path.schemas) WITH ORDINALITY AS s (name, position)
            JOIN pg_namespace n ON n.nspname = s.name
          WHERE n.nspname NOT LIKE 'pg\\_temp\\_%'
            AND (
              n.nspname = ${literal(home)}
              OR NOT has_schema_privilege(session_user, n.oid, 'CREATE')
              OR pg_has_role(session_user,
                (SELECT c.relowner FROM pg_class c WHERE c.oid = ${literal(l.keys)}::regclass), 'MEMBER')
            )
        ), 'pg_temp');
      END`,
  });
};

/** Types whose names are key words of SQL: no schema can replace them. */
const KEY_WORDS = /^(bigint|boolean|integer|numeric|real|smallint)\b|[ (."]/;

/**
 * A type as a variable of such a function needs it: PL/pgSQL looks types up when it first compiles the function, on the
 * caller's path. Types of other schemas have their schema already.
 */
export const typeInCatalog = (type: string): string => (KEY_WORDS.test(type) ? type : `pg_catalog.${type}`);

interface TriggerFunction {
  name: string;
  comment: string;
  /** Variables of the body, their types by `typeInCatalog`. */
  declare?: string;
  /** Statements; `EXIT body` ends them. */
  body: string;
}

/**
 * A function for statement triggers, as the platform's statements call it. It notes the path of the caller for the
 * statements that write, and works on its own path. It has no SET search_path, which would hide the caller's.
 */
export const triggerFunction = (
  { searchPath }: MappedSchema,
  { name, comment, declare, body }: TriggerFunction,
): InstalledFunction =>
  installedFunction({
    name,
    returns: 'trigger',
    searchPath: null,
    comment,
    body: sql`
      DECLARE
        caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
        caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
        path pg_catalog.text;
      BEGIN
        -- Until this line every name needs its schema.
        path := pg_catalog.set_config('search_path', ${literal(searchPath)}, true);
        path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
        <<body>>
        ${declare === undefined ? '' : `DECLARE\n  ${declare.replaceAll('\n', '\n  ')}`}
        BEGIN
          ${body}
        END body;
        path := set_config('search_path', caller_path, true);
        RETURN NULL;
      END`,
  });
