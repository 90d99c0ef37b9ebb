import type { ReadSession } from '../database/session.js';

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
}

/** One account's Settings > API Keys, by creation date. `account` is null when only its keys exist. */
export interface AccountSettings {
  id: string;
  account: { kind: string; name: string } | null;
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

/** Every moment as UTC to the microsecond, whatever the session's zone; BC and infinity keep their mark. */
const moment = (value: string): string => `CASE
    WHEN isfinite(${value}) THEN to_char(${value} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
      || CASE WHEN extract(year FROM ${value} AT TIME ZONE 'UTC') < 0 THEN ' BC' ELSE '' END
    ELSE ${value}::text END`;

/** The contract's fingerprint: the first 12 hex digits of SHA-256 of the stored token. */
const fingerprint = (token: string): string => `left(encode(sha256(convert_to(${token}, 'UTF8')), 'hex'), 12)`;

const SETTINGS = `
SELECT coalesce(o.id, k.account_id)::text AS id,
  CASE WHEN o.id IS NOT NULL THEN json_build_object('kind', o.kind, 'name', o.name) END AS account,
  coalesce(
    json_agg(
      json_build_object(
        'id', k.id::text,
        'name', k.name,
        'fingerprint', ${fingerprint('k.token')},
        'created_at', ${moment('k.created_at')},
        'last_used_at', ${moment('k.last_used_at')},
        'revoked_at', ${moment('k.revoked_at')},
        'expires_at', ${moment('k.expires_at')},
        'scope', k.scope,
        'origin_api', CASE WHEN k.origin_api_id IS NOT NULL THEN coalesce(a.slug, '#' || k.origin_api_id) END
      ) ORDER BY k.created_at, k.id
    ) FILTER (WHERE k.id IS NOT NULL),
    '[]'
  ) AS keys
FROM public.accounts o
FULL JOIN public.account_api_keys k ON k.account_id = o.id
LEFT JOIN public.apis a ON a.id = k.origin_api_id
GROUP BY coalesce(o.id, k.account_id), o.id
ORDER BY coalesce(o.id, k.account_id)`;

/**
 * The old gateway's rule, written from the contract and from nothing in src/legacy: a row with this token and this
 * API, not revoked, its expiry not reached; of several, the earliest created, then the lowest id.
 */
const OLD_ACCESS = `
SELECT ${fingerprint('t.token')} AS fingerprint, a.slug AS api, (
    SELECT 'key ' || k.id || ' of account ' || coalesce(k.account_id::text, 'NULL')
    FROM public.api_keys k
    WHERE k.token = t.token AND k.api_id = a.id
      AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    ORDER BY k.created_at, k.id
    LIMIT 1
  ) AS answer
FROM (SELECT DISTINCT token FROM public.api_keys WHERE token IS NOT NULL) t
CROSS JOIN public.apis a
ORDER BY fingerprint, a.slug COLLATE "C"`;

/** All rows that `authorize` returns are kept: a second one, which the contract forbids, shows in the snapshot. */
const NEW_ACCESS = `
SELECT ${fingerprint('t.token')} AS fingerprint, a.slug AS api, (
    SELECT string_agg('key ' || x.key_id || ' of account ' || coalesce(x.account_id::text, 'NULL')
      || ' (' || x.source || ')', ', ')
    FROM keylift.authorize(t.token, a.id) x
  ) AS answer
FROM (
  SELECT token FROM public.api_keys WHERE token IS NOT NULL
  UNION
  SELECT token FROM public.account_api_keys WHERE token IS NOT NULL
) t
CROSS JOIN public.apis a
ORDER BY fingerprint, a.slug COLLATE "C"`;

/** What every account sees under Settings > API Keys, accounts without keys included. Default schema only. */
export async function captureSettings(session: ReadSession): Promise<AccountSettings[]> {
  return (await session.query<AccountSettings>(SETTINGS)).rows;
}

/** Every distinct token × every API: who answers by the given rule, or null. `new` needs the expanded database. */
export async function captureAccess(session: ReadSession, rule: AccessRule): Promise<AccessAnswer[]> {
  return (await session.query<AccessAnswer>(rule === 'old' ? OLD_ACCESS : NEW_ACCESS)).rows;
}
