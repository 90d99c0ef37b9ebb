import type { ReadSession } from '../database/session.js';
import type { Settings } from '../config/settings.js';
import { parseTableName } from '../config/identifiers.js';
import { legacyFragments, type LegacyFragments } from './fragments.js';

/** PostgreSQL type names of the mapped values, without length or precision, as a function's parameter wants them. */
export interface LegacyTypes {
  id: string;
  idIsInteger: boolean;
  /** Qualified name of the sequence behind the legacy id, ready for `regclass`; null where there is none. */
  idSequence: string | null;
  token: string;
  tokenIsBytes: boolean;
  /** Has the legacy table an index, whole and valid, that begins with the token? */
  tokenIndexed: boolean;
  api: string;
  apiId: string;
  account: string;
  lastUsedAt: string;
  /** Legacy key columns whose change concerns keylift: all that is mapped, without last use. Quoted. */
  watched: WatchedColumn[];
}

/** A legacy column, quoted; `byText` where its type has no order of its own or compares unequal texts as equal. */
export interface WatchedColumn {
  name: string;
  byText: boolean;
}

/** The operator's schema as found. `searchPath` is what names inside `{ "sql": … }` expressions were meant for; quoted. */
export interface MappedSchema {
  settings: Settings;
  legacy: LegacyFragments;
  types: LegacyTypes;
  searchPath: string;
}

const INTEGERS = new Set(['smallint', 'integer', 'bigint']);

/**
 * Reads from the catalog what the mapping means in this database.
 *
 * @throws DatabaseError 42P01 or 42703 where a mapped table or column is not there; the command layer names it.
 */
export async function inspectLegacy(session: ReadSession, settings: Settings): Promise<MappedSchema> {
  const l = legacyFragments(settings);
  const typeOf = (expression: string): string => `pg_typeof((SELECT ${expression} FROM ${l.from} WHERE false))::text`;
  const { rows } = await session.query<Record<string, string | null>>(`
    SELECT ${typeOf(l.id)} AS id, ${typeOf(l.token)} AS token, ${typeOf(l.api)} AS api, ${typeOf(l.account)} AS account, ${typeOf(l.lastUsedAt)} AS last_used_at,
      ${typeOf(l.apiId)} AS api_id, ${typeOf(l.accountId)} AS owner_id,
      ${typeOf(`ROW(${[l.name, l.createdAt, l.lastUsedAt, l.revokedAt, l.expiresAt, l.slug, l.accountName, ...l.carry.map((c) => `k.${c}`)].join(', ')})`)} AS rest,
      ${typeOf(`ROW(${l.inStore}, ${l.isPerApiKey}, ${l.hasToken}, ${l.alive}, ${l.createdAt} <= now(), ${l.lastUsedAt} <= now(), ${l.revokedAt} <= now())`)} AS conditions,
      pg_get_serial_sequence($1, $2) AS sequence,
      EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1::regclass AND a.attname = $3 AND i.indisvalid AND i.indpred IS NULL)::text AS token_indexed,
      (SELECT string_agg(quote_ident(s), ', ') FROM unnest(current_schemas(false)) s) AS path`, [
    l.keys,
    settings.legacy.keys.id,
    typeof settings.legacy.keys.token === 'string' ? settings.legacy.keys.token : null,
  ]);
  const found = rows[0]!;
  const idType = found.id!;
  return {
    settings,
    legacy: l,
    searchPath: found.path ?? 'public',
    types: {
      id: argumentType(idType),
      idIsInteger: INTEGERS.has(idType),
      idSequence: found.sequence ?? null,
      token: argumentType(found.token!),
      tokenIsBytes: found.token === 'bytea',
      tokenIndexed: found.token_indexed === 'true',
      api: argumentType(found.api!),
      apiId: argumentType(found.api_id!),
      account: argumentType(found.account!),
      lastUsedAt: found.last_used_at!,
      watched: await watchedColumns(session, settings),
    },
  };
}

/** `character` as a parameter would mean one character; text-like arguments are taken as text. */
const argumentType = (type: string): string => (type === 'character varying' ? 'text' : type === 'character' ? 'bpchar' : type);

/** With an expression among the values any column may matter; else only the mapped ones do. */
async function watchedColumns(session: ReadSession, settings: Settings): Promise<WatchedColumn[]> {
  const { keys } = settings.legacy;
  const values = [keys.token, keys.name, keys.createdAt, keys.revokedAt, keys.expiresAt, keys.api, keys.account];
  const everyColumn = keys.where !== null || values.some((v) => v !== null && typeof v !== 'string');
  const { schema, name } = parseTableName(keys.table);
  const { rows } = await session.query<{ name: string; quoted: string; by_text: boolean }>(
    `SELECT attname AS name, quote_ident(attname) AS quoted, typcategory NOT IN ('B', 'D', 'N', 'T') AND typname NOT IN ('uuid', 'bytea') AS by_text
     FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type t ON t.oid = atttypid
     WHERE attrelid = format('%I.%I', $1::text, $2::text)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`,
    [schema ?? 'public', name],
  );
  const mapped = new Set([keys.id, ...values.filter((v) => typeof v === 'string'), ...keys.carry]);
  return rows.filter((c) => c.name !== keys.lastUsedAt && (everyColumn || mapped.has(c.name))).map((c) => ({ name: c.quoted, byText: c.by_text }));
}
