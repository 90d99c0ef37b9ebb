import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { holdByRollback } from '../../ledger/holds.js';
import { readState } from '../../ledger/migration.js';
import { isBegun } from '../../ledger/states.js';
import { catchUpAll } from '../last-use.js';
import { settleKeys } from '../settle-again.js';
import type { StageContext } from '../../run/context.js';
import { bornKeys, nothingToRollBack, type RollbackReport } from './rollback.js';
import { accountKeysOf, perApiKeysOf } from './statements.js';

/**
 * Takes some accounts back: their keys leave the new table and answer as per-API keys, held until the next migrate.
 *
 * @throws `finalized` when their rows are in the archive: then only the whole can be taken back.
 */
export async function rollBackAccounts(context: StageContext, accountIds: string[]): Promise<RollbackReport> {
  const { database, schema, run } = context;
  const state = requireAllowed('rollback --accounts', await database.readOnly(readState));
  if (!isBegun(state)) return nothingToRollBack(database, schema);
  const before = await database.readOnly((s) => s.query<{ key_id: string }>(accountKeysOf(schema), [accountIds]));
  await catchUpAll(database, schema);
  await database.transaction(
    async (session) => {
      await holdByRollback(session, schema, accountIds);
      await recordEvent(session, {
        kind: 'accounts_rolled_back',
        runId: run.runId,
        facts: { accounts: accountIds.length },
      });
    },
    { name: 'rollback of accounts: hold their keys' },
  );
  const keys = await database.readOnly((s) => s.query<{ key_id: string }>(perApiKeysOf(schema), [accountIds]));
  await settleKeys(
    context,
    keys.rows.map((row) => row.key_id),
  );
  const left = await database.readOnly((s) => s.query(accountKeysOf(schema), [accountIds]));
  const born = await bornKeys(database, schema);
  const listed = new Set(accountIds);
  return {
    rolled_back: true,
    accounts: accountIds.length,
    removed: before.rowCount - left.rowCount,
    born_in_settings: born.filter((k) => listed.has(k.account_id)),
  };
}
