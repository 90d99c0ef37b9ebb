import type { WriteSession } from '../database/session.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Holds } from '../plan/holds.js';

/** Replaces the holds in force. What the change means for keys that moved already is the sweep's work. */
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
