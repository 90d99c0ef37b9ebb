import type { ReadSession } from '../../database/session.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { LegacyFragments } from '../../mapping/fragments.js';

const LISTED = 20;

/** Account keys that the constraints refuse; before harden the new table takes them. */
const unfit = (l: LegacyFragments): string => `
  SELECT count(*) OVER () AS total, t.id::text AS key_id, CASE
      WHEN length(t.token) = 0 THEN 'no token'
      WHEN t.scope <> 'store_apis' THEN 'a scope other than store_apis'
      ELSE 'no account ' || t.account_id::text END AS fault
  FROM ${l.target} t
  WHERE length(t.token) = 0 OR t.scope <> 'store_apis' OR NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = t.account_id)
  ORDER BY t.id LIMIT ${String(LISTED)}`;

/**
 * What no rule settles waits for a person: keys born in Settings have no per-API key to fall back on, and to delete one
 * is not keylift's to decide.
 *
 * @throws `unfit_keys`, which names them.
 */
export async function refuseUnfit(session: ReadSession, l: LegacyFragments): Promise<void> {
  const { rows } = await session.query<{ total: string; key_id: string; fault: string }>(unfit(l));
  if (rows.length === 0) return;
  const { total } = rows[0]!;
  throw keyliftError('unfit_keys', {
    message: `the constraints of account keys refuse ${total} native ${total === '1' ? 'key' : 'keys'}`,
    facts: {
      keys: rows.map((row) => `${row.key_id}: ${row.fault}`),
      ...(Number(total) > LISTED ? { unlisted: Number(total) - LISTED } : {}),
    },
    hint: `Give them what they lack, or delete them from ${l.target}; then run the same command again.`,
  });
}
