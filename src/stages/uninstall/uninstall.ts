import { POLICIES, retry } from '../../database/retry.js';
import type { ReadSession, WriteSession } from '../../database/session.js';
import { sqlStateOf } from '../../database/sqlstate.js';
import { readInstalled } from '../../ledger/installed.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { StageContext } from '../../run/context.js';
import { requireLease } from '../../run/fence.js';
import { keepsTable, requireUninstallable } from './refusals.js';
import { countAccountKeys, lockAccountKeys, LOCK_LEDGER, removeAll, removeAroundAccountKeys } from './statements.js';

/** What `uninstall --json` prints. */
export interface UninstallReport {
  /** False where nothing was installed. */
  uninstalled: boolean;
  /** The table of account keys: removed, kept with its rows after a purge, or not there. */
  account_keys: 'removed' | 'kept' | 'absent';
  /** Account keys in the table that was kept. */
  kept_keys: number;
}

export const NOTHING_TO_UNINSTALL: UninstallReport = { uninstalled: false, account_keys: 'absent', kept_keys: 0 };

/**
 * Removes everything that keylift created, in one transaction. The run, its lease and its history go with the ledger.
 *
 * @throws `uninstall_refused` where keys or objects of others would be affected; nothing is changed then.
 */
export async function uninstall({ database, schema, run, stop, emit }: StageContext): Promise<UninstallReport> {
  emit({ kind: 'stage', stage: 'uninstall' });
  // A repeat after a lost connection: the try before it may have committed.
  const before = await database.readOnly((session) => readInstalled(session, schema.settings));
  if (!before.ledger) return database.readOnly((session) => reportOf(session, schema, before.target));
  return retry(
    () =>
      database.transaction((session) => remove(session, schema, () => requireLease(session, run)), {
        name: 'uninstall: remove everything',
        retry: 'none',
        lockTimeoutMs: POLICIES.ddlLock.lockTimeoutMs,
      }),
    {
      policy: 'ddlLock',
      stop,
      // Not a wait for the ledger: the ledger is about to go.
      onRetry: (error) => {
        const text = 'waiting: another session holds a lock that uninstall needs; trying again';
        emit({ kind: 'retry', text, reason: 'again', sqlstate: sqlStateOf(error) });
      },
    },
  );
}

async function remove(
  session: WriteSession,
  schema: MappedSchema,
  requireOwnLease: () => Promise<void>,
): Promise<UninstallReport> {
  await session.query(LOCK_LEDGER);
  const installed = await readInstalled(session, schema.settings);
  if (installed.target) await session.query(lockAccountKeys(schema));
  await requireOwnLease();
  await requireUninstallable(session, schema, installed);
  if (keepsTable(installed)) {
    await session.query(removeAroundAccountKeys(schema));
    return reportOf(session, schema, true);
  }
  await session.query(removeAll(schema, { target: installed.target }));
  return { uninstalled: true, account_keys: installed.target ? 'removed' : 'absent', kept_keys: 0 };
}

async function reportOf(session: ReadSession, schema: MappedSchema, keepsKeys: boolean): Promise<UninstallReport> {
  if (!keepsKeys) return { uninstalled: true, account_keys: 'removed', kept_keys: 0 };
  const { keys } = await session.one<{ keys: string }>(countAccountKeys(schema));
  return { uninstalled: true, account_keys: 'kept', kept_keys: Number(keys) };
}
