import type { ReadSession } from '../database/session.js';

/** One line of a page that lists keys. Moments are UTC to the microsecond, as PostgreSQL writes them. */
export interface ListedKey {
  id: string;
  name: string;
  created_at: string;
  last_used_at: string | null;
  /** The day. */
  revoked: string | null;
}

/** What a key's token opens at one API: the account and its source (`account`, `per_api`), or null for nothing. */
export interface Access {
  key_id: string;
  key: string;
  api: string;
  api_name: string;
  in_store: boolean;
  answered_by: { account_id: string | null; source: string } | null;
}

const moment = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;

const LISTED = `id::text, name, ${moment('created_at')} AS created_at, ${moment('last_used_at')} AS last_used_at,
  to_char(revoked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS revoked`;

/** The API keys page of one API, as an account saw it before: the keys made there. */
export async function apiPage(
  session: ReadSession,
  { account, api }: { account: string; api: string },
): Promise<ListedKey[]> {
  const { rows } = await session.query<ListedKey>(
    `SELECT ${LISTED} FROM public.api_keys
     WHERE account_id = $1 AND api_id = (SELECT a.id FROM public.apis a WHERE a.slug = $2) ORDER BY api_keys.created_at, api_keys.id`,
    [account, api],
  );
  return rows;
}

/** Settings > API Keys of an account. */
export async function settingsPage(session: ReadSession, account: string): Promise<ListedKey[]> {
  const { rows } = await session.query<ListedKey>(
    `SELECT ${LISTED} FROM public.account_api_keys WHERE account_id = $1 ORDER BY account_api_keys.created_at, account_api_keys.id`,
    [account],
  );
  return rows;
}

/** The query of an old gateway: an alive row with this token and this API. Written from the contract, not from src/. */
const OLD_GATEWAY = `
  SELECT o.account_id, 'per_api' AS source FROM public.api_keys o
  WHERE o.token = k.token AND o.api_id = a.id AND o.revoked_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > now())
  ORDER BY o.created_at, o.id LIMIT 1`;

const NEW_GATEWAY = 'SELECT f.account_id, f.source FROM keylift.authorize(k.token, a.id) f';

/** What every key opens at every API. Tokens never leave the database. */
export async function readAccess(session: ReadSession, gateway: 'old' | 'new'): Promise<Access[]> {
  const { rows } = await session.query<Access>(`
    SELECT k.id::text AS key_id, k.name AS key, a.slug AS api, a.name AS api_name, a.kind = 'store' AS in_store,
      CASE WHEN x.source IS NOT NULL THEN json_build_object('account_id', x.account_id::text, 'source', x.source) END AS answered_by
    FROM public.api_keys k CROSS JOIN public.apis a LEFT JOIN LATERAL (${gateway === 'old' ? OLD_GATEWAY : NEW_GATEWAY}) x ON true
    ORDER BY k.account_id, k.created_at, k.id, a.kind DESC, a.id`);
  return rows;
}

/** Seconds of each stage, from the ledger. */
export async function stageSeconds(session: ReadSession): Promise<{ stage: string; seconds: number }[]> {
  const { rows } = await session.query<{ stage: string; seconds: number }>(
    `SELECT facts ->> 'stage' AS stage, round((facts ->> 'seconds')::numeric, 3)::float8 AS seconds
     FROM keylift.events WHERE kind = 'stage_completed' ORDER BY event_no`,
  );
  return rows;
}
