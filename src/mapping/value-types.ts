import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { literal, row, sql, type Statement } from '../database/sql.js';
import type { LegacyFragments } from './fragments.js';
import { onOwnPath } from './search-path.js';

/** Values whose types the installed functions need. */
type TypedValue = 'id' | 'token' | 'api' | 'account' | 'api_id' | 'last_used_at' | 'expires_at' | 'created_at';

/** What the server says of the mapped values. */
export interface ValueTypes {
  /** Type names without domains, length or precision. */
  types: Record<TypedValue, string>;
  /** Is the type ordered by a collation? */
  collated: Record<TypedValue, boolean>;
  /** The access method of an index, whole and valid, that begins with the token: a B-tree before others; null: none. */
  token_index: string | null;
  /** Does a B-tree index hold every token that the legacy table takes? */
  token_fits_btree: boolean;
  /** The operator's search path; null where it has no schema. */
  path: string | null;
}

/** Reads the types. Every expression of the configuration is tried as the later statements use it. */
export const readValueTypes = (session: ReadSession, l: LegacyFragments, settings: Settings): Promise<ValueTypes> =>
  onOwnPath(session, () => session.one<ValueTypes>(valueTypes(l, settings).text));

export function valueTypes(l: LegacyFragments, settings: Settings): Statement {
  const { token } = settings.legacy.keys;
  const values = typedValues(l);
  return {
    title: 'read what the mapping means in this database',
    text: sql`
      WITH RECURSIVE mapped AS (
        -- No row is read, and no expression is computed: only the types matter.
        SELECT
          ${values.map(([name, value]) => `${value} AS ${name}`).join(',\n')},
          ${triedExpressions(l)}
        FROM
          ${l.from}
        WHERE false
      ), named (name, type) AS (
        VALUES
          ${values.map(([name]) => `('${name}', pg_catalog.pg_typeof((SELECT ${name} FROM mapped)))`).join(',\n')}
      ), below_domains AS (
        SELECT n.name, t.oid, t.typbasetype, t.typcollation <> 0 AS collated
        FROM named n
          JOIN pg_catalog.pg_type t ON t.oid = n.type
        UNION ALL
        SELECT d.name, t.oid, t.typbasetype, d.collated
        FROM below_domains d
          JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype
      )
      SELECT
        pg_catalog.json_object_agg(name, ${namedType('oid')}) AS types,
        pg_catalog.json_object_agg(name, collated) AS collated,
        (
          SELECT m.amname
          FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
            JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
            JOIN pg_catalog.pg_am m ON m.oid = c.relam
          WHERE i.indrelid = ${literal(l.keys)}::regclass AND i.indisvalid AND i.indpred IS NULL
            AND a.attname = ${typeof token === 'string' ? literal(token) : 'NULL'}
          ORDER BY m.amname <> 'btree', m.amname
          LIMIT 1
        )::text AS token_index,
        (
          ${tokenFitsBtree(l, token)}
        ) AS token_fits_btree,
        (
          SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
          FROM pg_catalog.unnest(current_schemas(false)) s
        ) AS path
      FROM below_domains
      WHERE typbasetype = 0`,
  };
}

/** The name of a type, with its schema where that is not pg_catalog. */
const namedType = (oid: string): string => sql`
  (
    SELECT
      CASE
        WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, NULL)
        ELSE pg_catalog.format('%I.%I', n.nspname, t.typname)
      END
    FROM pg_catalog.pg_type t
      JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.oid = below_domains.${oid}
  )`;

/** Bytes of a text that an entry of a B-tree index holds in any case. */
const BTREE_HOLDS = 2_600;

/**
 * A B-tree index of the platform over every token already refuses longer ones, and so does a short type. A type with an
 * equality of its own gets no digest: two digests do not show that it takes two values for equal. Over `below_domains`.
 */
function tokenFitsBtree(l: LegacyFragments, token: Settings['legacy']['keys']['token']): string {
  const column = typeof token === 'string' ? literal(token) : 'NULL';
  return sql`
    EXISTS (
      SELECT
      FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])
      WHERE i.indrelid = ${literal(l.keys)}::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = ${column}
    )
    OR EXISTS (
      SELECT
      FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = ${literal(l.keys)}::regclass AND a.attname = ${column}
        AND (
          (a.atttypmod - 4) * pg_catalog.pg_encoding_max_length(
            (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
          ) BETWEEN 1 AND ${BTREE_HOLDS}
          OR a.attcollation IN (SELECT c.oid FROM pg_catalog.pg_collation c WHERE NOT c.collisdeterministic)
        )
    )
    OR NOT EXISTS (
      SELECT
      FROM below_domains d
      WHERE d.name = 'token' AND d.oid IN ('text'::regtype, 'character varying'::regtype, 'bytea'::regtype)
    )`;
}

const typedValues = (l: LegacyFragments): [TypedValue, string][] => [
  ['id', l.id()],
  ['token', l.token()],
  ['api', l.api()],
  ['account', l.account()],
  ['api_id', l.apiId()],
  ['last_used_at', l.lastUsedAt()],
  ['expires_at', l.expiresAt()],
  ['created_at', l.createdAt()],
];

/** All values and conditions: over all tables, and over each table alone. */
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
    ${row([...ofKey, l.slug(), l.accountName()])} AS all_values,
    ${row(conditions)} AS conditions,
    (
      SELECT ${row([...ofKey, l.isPerApiKey()])} IS NULL
      FROM ${l.keys} k
      WHERE false
    ) AS of_key_alone,
    (SELECT ${l.slug()} IS NULL FROM ${l.apis} a WHERE false) AS of_api_alone,
    (SELECT ${l.inStore()}
     FROM ${l.apis} a${l.apiNeedsAccount ? `, ${l.accounts} o` : ''} WHERE false) AS of_api_and_account,
    (SELECT ${l.accountName()} IS NULL FROM ${l.accounts} o WHERE false) AS of_account_alone`;
}
