import { sql } from '../database/sql.js';
import type { ReadSession } from '../database/session.js';
import { fingerprintOf } from '../mapping/fingerprint.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { NAMES_BY_DEFAULT, namesOf, type Names } from './names.js';

/** An account key as Settings lists it, with the fingerprint of its token. Ids and times are text. */
export interface SettingsKey {
  id: string;
  name: string | null;
  fingerprint: string | null;
  created_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
  scope: string;
  /** Slug of the API in which the key was created; null for a native key, `#id` when the API is missing. */
  origin_api: string | null;
  /** Carried columns as text, where the mapping has any. */
  carried?: Record<string, string | null>;
}

/** Settings > API Keys of one account, by creation date. `account` is null when only its keys exist. */
export interface AccountSettings {
  id: string;
  /** Only the default tables have a kind. */
  account: { kind?: string; name: string | null } | null;
  keys: SettingsKey[];
}

/** The old gateway's query, or `keylift.authorize`. */
export type AccessRule = 'old' | 'new';

/** An answer is `key 7 of account 1`; by the new rule the source follows: `(account)` or `(per_api)`. */
export interface AccessAnswer {
  fingerprint: string;
  api: string;
  answer: string | null;
}

/**
 * A time to the microsecond: in UTC where its type has a zone, else as it is; BC and infinity keep their mark. The zone
 * of the session is UTC.
 */
const moment = (value: string): string => sql`
  CASE
    WHEN isfinite(${value}) THEN to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.US')
      || CASE WHEN pg_typeof(${value}) = 'timestamptz'::regtype THEN 'Z' ELSE '' END
      || CASE WHEN extract(year FROM ${value}) < 0 THEN ' BC' ELSE '' END
    ELSE ${value}::text
  END`;

/** APIs with a unique label: the slug, and also the id where several have the slug. */
const labelledApis = ({ legacy: l }: Names): string => sql`
  (SELECT id, CASE WHEN count(*) OVER (PARTITION BY slug) > 1 THEN slug || '#' || id::text ELSE slug END AS label
   FROM (SELECT ${l.apiId()} AS id, ${l.slug()}::text AS slug FROM ${l.apis} a) s)`;

function settingsQuery(names: Names): string {
  const { legacy: l, kind } = names;
  const ownerKind = kind === null ? '' : `, ${kind} AS kind`;
  return sql`
    SELECT coalesce(owner.id::text, key.account_id::text) AS id,
      CASE WHEN owner.id IS NOT NULL
        THEN json_build_object(${kind === null ? '' : `'kind', owner.kind, `}'name', owner.name) END AS account,
      coalesce(
        json_agg(
          json_build_object(
            ${settingsFields(names)}
          ) ORDER BY key.created_at, key.id
        ) FILTER (WHERE key.id IS NOT NULL),
        '[]'
      ) AS keys
    FROM (SELECT ${l.accountId()} AS id, ${l.accountName()}::text AS name${ownerKind} FROM ${l.accounts} o) owner
    FULL JOIN ${l.target} key ON key.account_id = owner.id
    LEFT JOIN ${labelledApis(names)} api ON api.id = key.origin_api_id
    GROUP BY coalesce(owner.id, key.account_id), owner.id, owner.name, key.account_id
      ${kind === null ? '' : ', owner.kind'}
    ORDER BY coalesce(owner.id, key.account_id)`;
}

function settingsFields(names: Names): string {
  const carried = names.carry.map(({ name, quoted }) => `${name}, key.${quoted}::text`).join(', ');
  return [
    `'id', key.id::text`,
    `'name', key.name`,
    `'fingerprint', ${fingerprintOf('key.token', names)}`,
    ...['created_at', 'last_used_at', 'revoked_at', 'expires_at'].map(
      (column) => `'${column}', ${moment(`key.${column}`)}`,
    ),
    `'scope', key.scope`,
    `'origin_api', CASE WHEN key.origin_api_id IS NOT NULL THEN coalesce(api.label, '#' || key.origin_api_id) END`,
    ...(names.carry.length === 0 ? [] : [`'carried', json_build_object(${carried})`]),
  ].join(',\n');
}

/**
 * The old gateway's rule, written from the contract independently of the resolver: a row with this token and this API,
 * not revoked and not expired; of several rows the earliest created, then the lowest id.
 */
function oldAccessQuery(names: Names): string {
  const { legacy: l } = names;
  return sql`
    SELECT ${fingerprintOf('sent.token', names)} AS fingerprint, api.label AS api, (
        SELECT 'key ' || ${l.id()} || ' of account ' || coalesce(${l.account()}::text, 'NULL')
        FROM ${l.keys} k
        WHERE ${l.isPerApiKey()} AND ${l.token()} = sent.token AND ${l.api()} = api.id
          AND ${l.revokedAt()} IS NULL AND (${l.expiresAt()} IS NULL OR ${l.expiresAt()} > ${l.now})
        ORDER BY ${l.createdAt()}, ${l.id()}
        LIMIT 1
      ) AS answer
    FROM (
      SELECT DISTINCT ${l.token()} AS token
      FROM ${l.keys} k
      WHERE ${l.isPerApiKey()} AND ${l.token()} IS NOT NULL) sent
    CROSS JOIN ${labelledApis(names)} api
    ORDER BY fingerprint, api.label COLLATE "C"`;
}

/** Keeps all rows of `authorize`, so that a second one, which the contract forbids, shows in the snapshot. */
function newAccessQuery(names: Names): string {
  const { legacy: l } = names;
  return sql`
    SELECT ${fingerprintOf('sent.token', names)} AS fingerprint, api.label AS api, (
        SELECT string_agg('key ' || x.key_id || ' of account ' || coalesce(x.account_id::text, 'NULL')
          || ' (' || x.source || ')', ', ')
        FROM keylift.authorize(sent.token, api.id) x
      ) AS answer
    FROM (
      SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND ${l.token()} IS NOT NULL
      UNION
      SELECT token FROM ${l.target} t WHERE token IS NOT NULL
    ) sent
    CROSS JOIN ${labelledApis(names)} api
    ORDER BY fingerprint, api.label COLLATE "C"`;
}

/** Settings > API Keys of every account, accounts without keys included. Default: of the default tables. */
export async function captureSettings(session: ReadSession, mapped?: MappedSchema): Promise<AccountSettings[]> {
  return read<AccountSettings>(session, settingsQuery(mapped === undefined ? NAMES_BY_DEFAULT : namesOf(mapped)));
}

/** The answer for every token at every API by the given rule. `new` needs an expanded database. */
export async function captureAccess(
  session: ReadSession,
  rule: AccessRule,
  mapped?: MappedSchema,
): Promise<AccessAnswer[]> {
  const names = mapped === undefined ? NAMES_BY_DEFAULT : namesOf(mapped);
  return read<AccessAnswer>(session, rule === 'old' ? oldAccessQuery(names) : newAccessQuery(names));
}

async function read<Row>(session: ReadSession, query: string): Promise<Row[]> {
  await session.query(`SET LOCAL timezone = 'UTC'`);
  return (await session.query<Row>(query)).rows;
}
