import { POLICIES, retry } from '../../database/retry.js';
import type { ReadSession, WriteSession } from '../../database/session.js';
import { sqlStateOf } from '../../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { refusalOf } from '../../ledger/allowed.js';
import { readInstalled, type Installed } from '../../ledger/installed.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { requireLease } from '../../run/fence.js';
import type { StageContext } from '../../run/context.js';
import { nativeKeys } from '../rollback/statements.js';
import { countSwitchedAccounts } from '../switch/statements.js';
import { readDependents } from './dependents.js';
import { removeAll, removeAroundAccountKeys } from './statements.js';

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

/** The refusal names this many native keys. */
const NAMED = 100;

/** After a purge the account keys are the only keys there are. */
const keepsTable = ({ state }: Installed): boolean => state?.state === 'purged';

/**
 * Removes everything that keylift created, in one transaction. The run, its lease and its history go with the ledger.
 *
 * @throws `uninstall_refused` where keys or objects of others would be affected; nothing is changed then.
 */
export async function uninstall({ database, schema, run, stop, emit }: StageContext): Promise<UninstallReport> {
  emit({ kind: 'stage', stage: 'uninstall' });
  return retry(
    () =>
      database.transaction((session) => remove(session, schema, () => requireLease(session, run)), {
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
  guard: () => Promise<void>,
): Promise<UninstallReport> {
  const { target } = schema.legacy;
  const installed = await readInstalled(session, schema.settings);
  if (installed.target) await session.query(`LOCK TABLE ${target} IN ACCESS EXCLUSIVE MODE`);
  await guard();
  await requireUninstallable(session, schema, installed);
  if (!keepsTable(installed)) {
    await session.query(removeAll(schema, { target: installed.target }));
    return { uninstalled: true, account_keys: installed.target ? 'removed' : 'absent', kept_keys: 0 };
  }
  await session.query(removeAroundAccountKeys(schema));
  const { keys } = await session.one<{ keys: string }>(`SELECT count(*) AS keys FROM ${target}`);
  return { uninstalled: true, account_keys: 'kept', kept_keys: Number(keys) };
}

/**
 * Would an uninstall affect keys or objects of others?
 *
 * @throws `uninstall_refused` with the list.
 */
export async function requireUninstallable(
  session: ReadSession,
  schema: MappedSchema,
  installed: Installed,
): Promise<void> {
  const refusal = refusalOf('uninstall', installed.state);
  if (refusal !== null) throw await withSwitched(session, schema, refusal);
  const goes = installed.target && !keepsTable(installed);
  const native = goes ? await readNativeKeys(session, schema) : [];
  const dependents = await readDependents(session, { target: goes ? schema.legacy.target : null });
  if (native.length > 0) throw nativeKeysRefuse(native, { dependents, target: schema.legacy.target });
  if (dependents.length > 0) throw dependentsRefuse(dependents);
}

/** The refusal with the number of accounts that are answered from Settings. */
async function withSwitched(session: ReadSession, schema: MappedSchema, refusal: KeyliftError): Promise<KeyliftError> {
  const { switched } = await session.one<{ switched: string }>(countSwitchedAccounts(schema));
  const { code, message, hint, facts } = refusal;
  return keyliftError(code, { message, hint, facts: { ...facts, switched_accounts: Number(switched) } });
}

interface NativeKey {
  key_id: string;
  account_id: string;
}

const readNativeKeys = async (session: ReadSession, schema: MappedSchema): Promise<NativeKey[]> =>
  (await session.query<NativeKey>(nativeKeys(schema))).rows;

const nativeKeysRefuse = (
  native: readonly NativeKey[],
  { dependents, target }: { dependents: readonly string[]; target: string },
): KeyliftError =>
  keyliftError('uninstall_refused', {
    message: `${target} holds ${String(native.length)} native keys, which have no per-API key; nothing was changed`,
    facts: {
      native_keys: native.slice(0, NAMED).map((key) => `key ${key.key_id} of account ${key.account_id}`),
      ...(dependents.length > 0 && { dependents }),
    },
    hint: 'Delete the native keys when their accounts have other keys, or move them to a table of your own.',
  });

const dependentsRefuse = (dependents: readonly string[]): KeyliftError =>
  keyliftError('uninstall_refused', {
    message: 'objects that keylift did not create depend on its schema or its table; nothing was changed',
    facts: { dependents },
    hint: 'Drop or change these objects, then run keylift uninstall again.',
  });
