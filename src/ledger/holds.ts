import type { ReadSession, WriteSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Installed } from './installed.js';

/** Keys that the operator holds (rule 9). Ids as text, as written in the file. */
export interface Holds {
  keyIds: string[];
  accountIds: string[];
}

export const NO_HOLDS: Holds = { keyIds: [], accountIds: [] };

/** Holds that an earlier `migrate` stored; none where this role can read no ledger. */
export async function holdsOfLedger(session: ReadSession, { holds }: Installed): Promise<Holds> {
  if (!holds) return NO_HOLDS;
  const { rows } = await session.query<{ key_id: string | null; account_id: string | null }>(
    'SELECT key_id::text AS key_id, account_id::text AS account_id FROM keylift.holds',
  );
  return { keyIds: rows.flatMap((r) => r.key_id ?? []), accountIds: rows.flatMap((r) => r.account_id ?? []) };
}

/** Replaces the holds in force. `settleAgain` settles the keys that moved before. */
export async function storeHolds(session: WriteSession, { types }: MappedSchema, holds: Holds): Promise<void> {
  await session.query('DELETE FROM keylift.holds WHERE NOT by_rollback');
  await session.query(
    `INSERT INTO keylift.holds (key_id) SELECT DISTINCT id::${types.id} FROM unnest($1::text[]) AS given (id)`,
    [holds.keyIds],
  );
  await session.query(
    `INSERT INTO keylift.holds (account_id) SELECT DISTINCT id::${types.account} FROM unnest($1::text[]) AS given (id)
     ON CONFLICT DO NOTHING`,
    [holds.accountIds],
  );
}

/** Accounts taken back by `rollback --accounts` are held until the next `migrate`. */
export async function holdByRollback(
  session: WriteSession,
  { types }: MappedSchema,
  accountIds: string[],
): Promise<void> {
  await session.query(
    `INSERT INTO keylift.holds (account_id, by_rollback) SELECT DISTINCT id::${types.account}, true FROM unnest($1::text[]) AS given (id)
     ON CONFLICT DO NOTHING`,
    [accountIds],
  );
}

/** Lets go of what `rollback --accounts` held. @returns how many accounts. */
export async function releaseRolledBack(session: WriteSession): Promise<number> {
  return (await session.query('DELETE FROM keylift.holds WHERE by_rollback')).rowCount;
}
