import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import { opensForAny } from '../../mapping/store.js';
import { heldByName } from '../../mapping/rules/verdicts.js';
import { DORMANT_AFTER } from '../../plan/dormant.js';
import type { Source } from './choose.js';

/**
 * Further APIs of each kind in a sample: store APIs that keys will open, and custom APIs that they must not open.
 */
const FURTHER_APIS = 20;

/**
 * Moves a time that the rules compare with today two hundred years ahead, so that the case has the same results in ten
 * years. Differences between such times stay. All other times stay as they are.
 */
const lasting = (value: string, condition: string): string => sql`
  CASE WHEN isfinite(${value}) AND ${condition} AND ${value} < timestamptz '200000-01-01'
    THEN ${value} + interval '200 years' ELSE ${value} END`;

/** A time as a fixture writes it. A time without a zone is in the zone of the session. */
const moment = (value: string): string => {
  const inUtc = `(${value})::timestamptz AT TIME ZONE 'UTC'`;
  return sql`
    CASE
      WHEN isfinite(${value}) THEN to_char(${inUtc}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        || CASE WHEN extract(year FROM ${inUtc}) < 0 THEN ' BC' ELSE '' END
      ELSE ${value}::text
    END`;
};

/**
 * The kind of a name as JSON: its white space, length and kinds of characters, but no other text. Equal names have
 * equal numbers. A name of white space only stays as it is.
 */
function nameKind(name: string, number: string): string {
  const bytes = `encode(convert_to(${name}, 'UTF8'), 'hex')`;
  const marks: Record<NameMark, string> = {
    formula: `${name} ~ '^\\s*[=+@-]'`,
    control: `${name} ~ '[[:cntrl:]]'`,
    quote: `${name} ~ '["''\\\\]'`,
    letter: `octet_length(convert_to(${name}, 'UTF8')) > char_length(${name})`,
    combining: `${bytes} ~ '^(..)*(cc[89ab].|cd[89a].)'`,
    'right to left': `${bytes} ~ '^(..)*d[6-9ab]'`,
    astral: `${bytes} ~ '^(..)*f[0-4]'`,
  };
  const found = Object.entries(marks).map(([mark, condition]) => `CASE WHEN ${condition} THEN '${mark}' END`);
  return sql`
    CASE
      WHEN ${name} ~ '^\\s*$' THEN jsonb_build_object('blanks', ${name})
      WHEN ${name} IS NOT NULL THEN jsonb_build_object(
        'number', ${number}, 'length', char_length(${name}),
        'before', substring(${name} FROM '^\\s*'), 'after', substring(${name} FROM '\\s*$'),
        'marks', to_jsonb(array_remove(ARRAY[
          ${found.join(',\n')}], NULL)))
    END`;
}

/** Properties of a name that make it hard to show, sort or export. */
export type NameMark = 'formula' | 'control' | 'quote' | 'letter' | 'combining' | 'right to left' | 'astral';

/** The kind of a name; null for a key without a name. */
export type NameKind =
  { blanks: string } | { number: number; length: number; before: string; after: string; marks: NameMark[] } | null;

/** One key of a sample. */
export interface DisguisedKey {
  id: number;
  account_id: number | null;
  api_id: number | null;
  name: NameKind;
  token: string | null;
  created_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
}

export interface DisguisedRows {
  accounts: { id: number; kind: 'organization'; name: string }[];
  apis: { id: number; slug: string; kind: 'store' | 'custom' }[];
  keys: DisguisedKey[];
  /** Ids of keys that a hold names. */
  held: number[];
}

/**
 * The rows of a fixture case, of the keys $3 and the accounts $4. PostgreSQL replaces all tokens, names and ids, so
 * that none of the source is in the result. Equal values stay equal. A case has one store for all accounts: where keys
 * of one API move and keys of another account stay in it, the case has two APIs.
 */
export function disguise({ schema: { legacy: l, types }, holds }: Source): string {
  const number = (order: string): string => `dense_rank() OVER (ORDER BY ${order})`;
  const lastUsed = lasting(l.lastUsedAt(), `${l.lastUsedAt()} >= now() - interval '${DORMANT_AFTER}'`);
  const newToken = number('CASE WHEN has_token THEN token END');
  return sql`
    WITH picked AS MATERIALIZED (
      SELECT ${l.id()} AS id, ${l.account()} AS account, ${l.api()} AS api, ${l.token()} AS token,
        ${l.name()}::text AS name, ${l.hasToken()} AS has_token,
        ${l.accountId()} IS NOT NULL AS account_known, ${l.apiId()} IS NOT NULL AS api_known,
        NOT ${l.outOfStore} AS in_store,
        ${heldByName(l, holds)} AS held,
        ${moment(l.createdAt())} AS created_at,
        ${moment(lastUsed)} AS last_used_at,
        ${moment(l.revokedAt())} AS revoked_at,
        ${moment(lasting(l.expiresAt(), `${l.expiresAt()} > ${l.now}`))} AS expires_at
      FROM ${l.from}
      WHERE ${l.id()} = ANY ($3::text[]::${types.id}[]) AND ${l.isPerApiKey()}
    ), accounts AS MATERIALIZED (
      SELECT account, bool_or(known) AS known, ${number('account')} AS no
      FROM (
        SELECT account, account_known AS known FROM picked WHERE account IS NOT NULL
        UNION ALL
        SELECT ${l.accountId()}, true FROM ${l.accounts} o WHERE ${l.accountId()}::text = ANY ($4::text[])) every
      GROUP BY account
    ), apis AS MATERIALIZED (
      SELECT api, in_store, bool_or(known) AS known, ${number('api, in_store')} AS no
      FROM (
        SELECT api, api_known AS known, in_store FROM picked WHERE api IS NOT NULL
        UNION ALL
        SELECT id, true, in_store
        FROM (
          ${apisToShow(l)}) shown) every
      GROUP BY api, in_store
    ), keys AS MATERIALIZED (
      SELECT picked.*, ${number('picked.id')} AS no,
        CASE WHEN has_token THEN 'token-' || ${newToken} WHEN token IS NOT NULL THEN '' END AS new_token,
        ${number('picked.name COLLATE "C"')} AS name_no
      FROM picked
    )
    SELECT
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
          'id', no, 'kind', 'organization', 'name', 'account-' || no) ORDER BY no), '[]')
       FROM accounts WHERE known) AS accounts,
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
          'id', no, 'slug', CASE WHEN in_store THEN 'store-' ELSE 'custom-' END || no,
          'kind', CASE WHEN in_store THEN 'store' ELSE 'custom' END) ORDER BY no), '[]')
       FROM apis WHERE known) AS apis,
      (SELECT coalesce(jsonb_agg(jsonb_build_object(
          'id', k.no, 'account_id', o.no, 'api_id', a.no,
          'name', ${nameKind('k.name', 'k.name_no')},
          'token', k.new_token, 'created_at', k.created_at, 'last_used_at', k.last_used_at,
          'revoked_at', k.revoked_at, 'expires_at', k.expires_at) ORDER BY k.no), '[]')
       FROM keys k
         LEFT JOIN accounts o ON o.account = k.account
         LEFT JOIN apis a ON a.api = k.api AND a.in_store = k.in_store) AS keys,
      (SELECT coalesce(jsonb_agg(no ORDER BY no), '[]') FROM keys WHERE held) AS held`;
}

/** The APIs of the picked keys, and further store APIs and custom APIs. */
const apisToShow = (l: LegacyFragments): string => sql`
  SELECT id, in_store
  FROM (
    SELECT id, in_store, has_key, row_number() OVER (PARTITION BY in_store, has_key ORDER BY md5(id::text)) AS position
    FROM (
      SELECT ${l.apiId()} AS id, ${opensForAny(l)} AS in_store,
        ${l.apiId()} IN (SELECT api FROM picked WHERE api IS NOT NULL) AS has_key
      FROM ${l.apis} a) named
  ) ranked
  WHERE has_key OR position <= ${FURTHER_APIS}`;
