import type { ReadSession } from '../../database/session.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import { UNFIT_LISTED, unfitKeys } from './statements.js';

/**
 * What no rule settles waits for a person: keys born in Settings have no per-API key to fall back on, and to delete one
 * is not keylift's to decide.
 *
 * @throws `unfit_keys`, which names them.
 */
export async function refuseUnfit(session: ReadSession, l: LegacyFragments): Promise<void> {
  const { rows } = await session.query<{ total: string; key_id: string; fault: string }>(unfitKeys(l));
  if (rows.length === 0) return;
  const { total } = rows[0]!;
  throw keyliftError('unfit_keys', {
    message: `the constraints of account keys refuse ${total} native ${total === '1' ? 'key' : 'keys'}`,
    facts: {
      keys: rows.map((row) => `${row.key_id}: ${row.fault}`),
      ...(Number(total) > UNFIT_LISTED ? { unlisted: Number(total) - UNFIT_LISTED } : {}),
    },
    hint: `Give them what they lack, or delete them from ${l.target}; then run the same command again.`,
  });
}
