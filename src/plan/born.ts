import { parseTableName } from '../config/identifiers.js';
import type { ReadSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';

const READABLE = `
  SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = 'origin_api_id'
    WHERE n.nspname = $1 AND c.relname = $2
      AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) AS readable`;

/**
 * The table of the account keys, where it is there and this role may read it; else null. Keys born in Settings are in it,
 * also after a rollback, and no per-API key can become an account key beside one with its token.
 */
export async function bornKeysTable(session: ReadSession, { legacy, settings }: MappedSchema): Promise<string | null> {
  const { schema, name } = parseTableName(settings.target.table);
  const { readable } = await session.one<{ readable: boolean }>(READABLE, [schema ?? 'public', name]);
  return readable ? legacy.target : null;
}

/** Their tokens, as a further part of a UNION; nothing where there is no such table. */
export const bornTokens = (table: string | null): string =>
  table === null ? '' : `UNION SELECT b.token FROM ${table} b WHERE b.origin_api_id IS NULL`;

/** The condition of `verdicts` that a key born in Settings has this token. */
export const takenInSettings = (table: string | null, token: string): { takenElsewhere?: string } =>
  table === null
    ? {}
    : { takenElsewhere: `EXISTS (SELECT FROM ${table} b WHERE b.token = ${token} AND b.origin_api_id IS NULL)` };
