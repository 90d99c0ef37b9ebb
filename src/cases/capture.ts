import type { ReadSession } from '../database/session.js';
import { fingerprintOf } from '../mapping/fingerprint.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { NAMES_BY_DEFAULT, namesOf, type Names } from './names.js';

/** An account key as Settings lists it, its token shown by fingerprint alone. Ids and moments are text. */
export interface SettingsKey {
  id: string;
  name: string | null;
  fingerprint: string | null;
  created_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  expires_at: string | null;
  scope: string;
  /** Slug of the API the key was made in; null for a key born in Settings, `#id` when the API is gone. */
  origin_api: string | null;
  /** Carried columns as text, where the mapping has any. */
  carried?: Record<string, string | null>;
}

/** One account's Settings > API Keys, by creation date. `account` is null when only its keys exist. */
export interface AccountSettings {
  id: string;
  /** The kind is the default tables'. */
  account: { kind?: string; name: string | null } | null;
  keys: SettingsKey[];
}

/** Whose answers a capture asks for: the old gateway's query, or `keylift.authorize`. */
export type AccessRule = 'old' | 'new';

/** Who answers: `key 7 of account 1`, followed by the source (`(account)`, `(per_api)`) under the new rule. */
export interface AccessAnswer {
  fingerprint: string;
  api: string;
  answer: string | null;
}

/**
 * Every moment to the microsecond: in UTC where its type has a zone, else as it is written; BC and infinity keep their
 * mark. The session's zone is UTC.
 */
const moment = (value: string): string => `CASE
    WHEN isfinite(${value}) THEN to_char(${value}, 'YYYY-MM-DD"T"HH24:MI:SS.US') || CASE WHEN pg_typeof(${value}) = 'timestamptz'::regtype THEN 'Z' ELSE '' END
      || CASE WHEN extract(year FROM ${value}) < 0 THEN ' BC' ELSE '' END
    ELSE ${value}::text END`;

/** APIs by a label that is theirs alone: the slug, and the id beside it where several have the slug. */
const DOORS = ({ legacy: l }: Names): string => `
  (SELECT id, CASE WHEN count(*) OVER (PARTITION BY slug) > 1 THEN slug || '#' || id::text ELSE slug END AS label
   FROM (SELECT ${l.apiId()} AS id, ${l.slug()}::text AS slug FROM ${l.apis} a) named)`;

function settingsQuery(names: Names): string {
  const { legacy: l, kind, carry } = names;
  return `
    SELECT coalesce(owner.id::text, key.account_id::text) AS id,
      CASE WHEN owner.id IS NOT NULL THEN json_build_object(${kind === null ? '' : `'kind', owner.kind, `}'name', owner.name) END AS account,
      coalesce(
        json_agg(
          json_build_object(
            'id', key.id::text,
            'name', key.name,
            'fingerprint', ${fingerprintOf('key.token', names)},
            'created_at', ${moment('key.created_at')},
            'last_used_at', ${moment('key.last_used_at')},
            'revoked_at', ${moment('key.revoked_at')},
            'expires_at', ${moment('key.expires_at')},
            'scope', key.scope,
            'origin_api', CASE WHEN key.origin_api_id IS NOT NULL THEN coalesce(door.label, '#' || key.origin_api_id) END
            ${carry.length === 0 ? '' : `, 'carried', json_build_object(${carry.map(({ name, quoted }) => `${name}, key.${quoted}::text`).join(', ')})`}
          ) ORDER BY key.created_at, key.id
        ) FILTER (WHERE key.id IS NOT NULL),
        '[]'
      ) AS keys
    FROM (SELECT ${l.accountId()} AS id, ${l.accountName()}::text AS name${kind === null ? '' : `, ${kind} AS kind`} FROM ${l.accounts} o) owner
    FULL JOIN ${l.target} key ON key.account_id = owner.id
    LEFT JOIN ${DOORS(names)} door ON door.id = key.origin_api_id
    GROUP BY coalesce(owner.id, key.account_id), owner.id, owner.name, key.account_id${kind === null ? '' : ', owner.kind'}
    ORDER BY coalesce(owner.id, key.account_id)`;
}

/**
 * The old gateway's rule, written from the contract and from nothing but the mapping's names: a row with this token and
 * this API, not revoked, its expiry not reached; of several, the earliest created, then the lowest id.
 */
function oldAccessQuery(names: Names): string {
  const { legacy: l } = names;
  return `
    SELECT ${fingerprintOf('sent.token', names)} AS fingerprint, door.label AS api, (
        SELECT 'key ' || ${l.id()} || ' of account ' || coalesce(${l.account()}::text, 'NULL')
        FROM ${l.keys} k
        WHERE ${l.isPerApiKey()} AND ${l.token()} = sent.token AND ${l.api()} = door.id
          AND ${l.revokedAt()} IS NULL AND (${l.expiresAt()} IS NULL OR ${l.expiresAt()} > ${l.now})
        ORDER BY ${l.createdAt()}, ${l.id()}
        LIMIT 1
      ) AS answer
    FROM (SELECT DISTINCT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND ${l.token()} IS NOT NULL) sent
    CROSS JOIN ${DOORS(names)} door
    ORDER BY fingerprint, door.label COLLATE "C"`;
}

/** All rows that `authorize` returns are kept: a second one, which the contract forbids, shows in the snapshot. */
function newAccessQuery(names: Names): string {
  const { legacy: l } = names;
  return `
    SELECT ${fingerprintOf('sent.token', names)} AS fingerprint, door.label AS api, (
        SELECT string_agg('key ' || x.key_id || ' of account ' || coalesce(x.account_id::text, 'NULL')
          || ' (' || x.source || ')', ', ')
        FROM keylift.authorize(sent.token, door.id) x
      ) AS answer
    FROM (
      SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} AND ${l.token()} IS NOT NULL
      UNION
      SELECT token FROM ${l.target} t WHERE token IS NOT NULL
    ) sent
    CROSS JOIN ${DOORS(names)} door
    ORDER BY fingerprint, door.label COLLATE "C"`;
}

/** What every account sees under Settings > API Keys, accounts without keys included. Without a mapping: of the default tables. */
export async function captureSettings(session: ReadSession, mapped?: MappedSchema): Promise<AccountSettings[]> {
  return ask<AccountSettings>(session, settingsQuery(mapped === undefined ? NAMES_BY_DEFAULT : namesOf(mapped)));
}

/** Every distinct token × every API: who answers by the given rule, or null. `new` needs the expanded database. */
export async function captureAccess(
  session: ReadSession,
  rule: AccessRule,
  mapped?: MappedSchema,
): Promise<AccessAnswer[]> {
  const names = mapped === undefined ? NAMES_BY_DEFAULT : namesOf(mapped);
  return ask<AccessAnswer>(session, rule === 'old' ? oldAccessQuery(names) : newAccessQuery(names));
}

async function ask<Row>(session: ReadSession, query: string): Promise<Row[]> {
  await session.query(`SET LOCAL timezone = 'UTC'`);
  return (await session.query<Row>(query)).rows;
}
