import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { literal, row, sql, type Statement } from '../database/sql.js';
import type { LegacyFragments } from './fragments.js';
import { onOwnPath } from './search-path.js';

/** What the server says of the mapped values, as text: type names without domains, length or precision. */
export interface ValueTypes {
  id: string;
  token: string;
  api: string;
  account: string;
  api_id: string;
  last_used_at: string;
  expires_at: string;
  created_at: string;
  /** Is the type ordered by a collation? */
  id_collated: string;
  token_collated: string;
  api_id_collated: string;
  /** Has the legacy table an index, whole and valid, that begins with the token? */
  token_indexed: string;
  /** Does a btree index hold every token that the legacy table takes? */
  token_fits_btree: string;
  /** The operator's search path; null where it has no schema. */
  path: string | null;
}

/** Reads the types. Every expression of the configuration is tried as the later statements use it. */
export const readValueTypes = (session: ReadSession, l: LegacyFragments, settings: Settings): Promise<ValueTypes> =>
  onOwnPath(session, () => session.one<ValueTypes>(valueTypes(l, settings).text));

export function valueTypes(l: LegacyFragments, settings: Settings): Statement {
  const { token } = settings.legacy.keys;
  return {
    title: 'read what the mapping means in this database',
    text: sql`
      SELECT
        ${bareType(l, l.id())} AS id,
        ${bareType(l, l.token())} AS token,
        ${bareType(l, l.api())} AS api,
        ${bareType(l, l.account())} AS account,
        ${bareType(l, l.apiId())} AS api_id,
        ${isCollated(l, l.id())} AS id_collated,
        ${isCollated(l, l.token())} AS token_collated,
        ${isCollated(l, l.apiId())} AS api_id_collated,
        ${bareType(l, l.lastUsedAt())} AS last_used_at,
        ${bareType(l, l.expiresAt())} AS expires_at,
        ${bareType(l, l.createdAt())} AS created_at,
        ${triedExpressions(l)},
        EXISTS (
          SELECT
          FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
          WHERE i.indrelid = ${literal(l.keys)}::regclass AND i.indisvalid AND i.indpred IS NULL
            AND a.attname = ${typeof token === 'string' ? literal(token) : 'NULL'}
        )::text AS token_indexed,
        (${tokenFitsBtree(l, token)})::text AS token_fits_btree,
        (
          SELECT string_agg(pg_catalog.quote_ident(s), ', ')
          FROM pg_catalog.unnest(current_schemas(false)) s
        ) AS path`,
  };
}

/** Bytes of a text that an entry of a btree index holds in any case. */
const BTREE_HOLDS = 2_600;

/**
 * A btree index of the platform over every token already refuses longer ones, and so does a short type. A type with an
 * equality of its own gets no digest: two digests do not show that it takes two values for equal.
 */
const tokenFitsBtree = (l: LegacyFragments, token: Settings['legacy']['keys']['token']): string => sql`
  EXISTS (
    SELECT
    FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])
    WHERE i.indrelid = ${literal(l.keys)}::regclass AND i.indisvalid AND i.indpred IS NULL
      AND a.attname = ${typeof token === 'string' ? literal(token) : 'NULL'}
  )
  OR EXISTS (
    SELECT
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = ${literal(l.keys)}::regclass AND a.attname = ${typeof token === 'string' ? literal(token) : 'NULL'}
      AND (
        (a.atttypmod - 4) * pg_catalog.pg_encoding_max_length(
          (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
        ) BETWEEN 1 AND ${BTREE_HOLDS}
        OR a.attcollation IN (SELECT c.oid FROM pg_catalog.pg_collation c WHERE NOT c.collisdeterministic)
      )
  )
  OR ${bareType(l, l.token())} NOT IN ('text', 'character varying', 'bytea')`;

const typeOf = (l: LegacyFragments, expression: string): string => sql`
  pg_catalog.pg_typeof((
    SELECT ${expression}
    FROM
      ${l.from}
    WHERE false
  ))`;

/** The type below all domains, with its schema where that is not pg_catalog. */
const bareType = (l: LegacyFragments, expression: string): string => sql`
  (
    WITH RECURSIVE down AS (
      SELECT t.oid, t.typbasetype
      FROM pg_catalog.pg_type t
      WHERE t.oid = ${typeOf(l, expression)}
      UNION ALL
      SELECT t.oid, t.typbasetype
      FROM down
        JOIN pg_catalog.pg_type t ON t.oid = down.typbasetype
    )
    SELECT
      CASE
        WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN pg_catalog.format_type(t.oid, NULL)
        ELSE pg_catalog.format('%I.%I', (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = t.typnamespace), t.typname)
      END
    FROM down
      JOIN pg_catalog.pg_type t USING (oid)
    WHERE down.typbasetype = 0
  )`;

const isCollated = (l: LegacyFragments, expression: string): string => sql`
  (
    SELECT typcollation <> 0
    FROM pg_catalog.pg_type
    WHERE oid = ${typeOf(l, expression)}
  )::text`;

/** All other values and conditions: over all tables, and over each table alone. */
function triedExpressions(l: LegacyFragments): string {
  const ofKey = [
    ...[l.id, l.token, l.api, l.account, l.name, l.createdAt, l.lastUsedAt, l.revokedAt, l.expiresAt].map((f) => f()),
    ...l.carry.map((name) => `k.${name}`),
  ];
  const conditions = [
    ...[l.inStore(), l.isPerApiKey(), l.hasToken(), l.alive()],
    ...[l.createdAt(), l.lastUsedAt(), l.revokedAt()].map((date) => `${date} <= now()`),
  ];
  return sql`
    ${typeOf(l, row([...ofKey, l.slug(), l.accountName()]))}::text AS rest,
    ${typeOf(l, row(conditions))}::text AS conditions,
    (
      SELECT ${row([...ofKey, l.isPerApiKey()])} IS NULL
      FROM ${l.keys} k
      WHERE false
    )::text AS of_key_alone,
    (SELECT ROW(${l.inStore()}, ${l.slug()}) IS NULL FROM ${l.apis} a WHERE false)::text AS of_api_alone,
    (SELECT ${l.accountName()} IS NULL FROM ${l.accounts} o WHERE false)::text AS of_account_alone`;
}
