import { parseTableName } from '../config/identifiers.js';
import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';

const READABLE = sql`
  SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'origin_api_id'
    WHERE n.nspname = $1 AND c.relname = $2
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  ) AS readable`;

/**
 * The table of the account keys, or null where it does not exist or this role may not read it. It can hold native keys
 * before a migration, since a rollback keeps them, and no per-API key with the token of a native key moves.
 */
export async function nativeKeysTable(
  session: ReadSession,
  { legacy, settings }: MappedSchema,
): Promise<string | null> {
  const { schema, name } = parseTableName(settings.target.table);
  const { readable } = await session.one<{ readable: boolean }>(READABLE, [schema ?? 'public', name]);
  return readable ? legacy.target : null;
}

/** The condition of `verdicts` that a native key has this token. */
export const takenByNativeKey = (table: string | null, token: string): { takenElsewhere?: string } =>
  table === null
    ? {}
    : { takenElsewhere: `EXISTS (SELECT FROM ${table} b WHERE b.token = ${token} AND b.origin_api_id IS NULL)` };
