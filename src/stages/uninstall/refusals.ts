import type { ReadSession } from '../../database/session.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { counted } from '../../format.js';
import { refusalOf } from '../../ledger/allowed.js';
import type { Installed } from '../../ledger/installed.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { countSwitchedAccounts } from '../switch/statements.js';
import { readDependents } from './dependents.js';
import { keptKeys } from './statements.js';

/** The refusal names this many account keys. */
const NAMED = 100;

/** After a purge the account keys are the only keys there are. */
export const keepsTable = ({ state }: Installed): boolean => state?.state === 'purged';

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
  if (refusal !== null) throw await withSwitched(session, schema, { refusal, installed });
  const goes = installed.target && !keepsTable(installed);
  const kept = goes ? await readKeptKeys(session, schema) : [];
  const dependents = await readDependents(session, schema, { target: goes ? schema.legacy.target : null });
  if (kept.length > 0) throw keptKeysRefuse(kept, { dependents, target: schema.legacy.target });
  if (dependents.length > 0) throw dependentsRefuse(dependents);
}

/** The refusal with the number of accounts that are answered from Settings. */
async function withSwitched(
  session: ReadSession,
  schema: MappedSchema,
  { refusal, installed }: { refusal: KeyliftError; installed: Installed },
): Promise<KeyliftError> {
  if (installed.state === null || !installed.target) return refusal;
  const { switched } = await session.one<{ switched: string }>(countSwitchedAccounts(schema));
  const { code, message, hint, facts } = refusal;
  return keyliftError(code, { message, hint, facts: { ...facts, switched_accounts: Number(switched) } });
}

/** An account key that a rollback kept. */
interface KeptKey {
  key_id: string;
  account_id: string;
  /** Why the rollback kept it; null for a native key. */
  reason: string | null;
  /** How many there are. */
  total: number;
}

const readKeptKeys = async (session: ReadSession, schema: MappedSchema): Promise<KeptKey[]> =>
  (await session.query<KeptKey>(keptKeys(schema), [NAMED])).rows;

const keptKeysRefuse = (
  kept: readonly KeptKey[],
  { dependents, target }: { dependents: readonly string[]; target: string },
): KeyliftError => {
  const nameOf = ({ key_id: key, account_id: account }: KeptKey): string => `key ${key} of account ${account}`;
  const native = kept.filter(({ reason }) => reason === null);
  const left = kept.filter(({ reason }) => reason !== null);
  return keyliftError('uninstall_refused', {
    message: `${target} holds ${counted(kept[0]!.total, 'account key')} without a per-API key; nothing was changed`,
    facts: {
      ...(native.length > 0 && { native_keys: native.map(nameOf) }),
      ...(left.length > 0 && { keys_that_the_rollback_left: left.map((key) => `${nameOf(key)}: ${key.reason!}`) }),
      ...(dependents.length > 0 && { dependents }),
    },
    hint: 'Delete these keys when their accounts have other keys, or copy them to a table of your own and delete them.',
  });
};

const dependentsRefuse = (dependents: readonly string[]): KeyliftError =>
  keyliftError('uninstall_refused', {
    message: 'objects that keylift did not create depend on its schema or its table; nothing was changed',
    facts: { dependents },
    hint: 'Drop or change these objects, then run keylift uninstall again.',
  });
