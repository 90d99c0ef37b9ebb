import type { ReadSession } from '../database/session.js';
import { ListFaults, readIdList } from '../files/id-list.js';
import type { Holds } from '../ledger/holds.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { findUnknownIds } from '../mapping/known-ids.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';

/**
 * Reads a holds file and checks every id against the database.
 *
 * @throws `list_unreadable`; `list_invalid` also for an id that does not exist: a typing error would let a key move
 */
export async function readHolds(
  session: ReadSession,
  file: string,
  { legacy: l, types }: MappedSchema,
): Promise<Holds> {
  const list = { file, kind: 'holds file', columns: ['account_id', 'key_id'] };
  const ids = await readIdList(list);
  const keys = ids.get('key_id') ?? [];
  const accounts = ids.get('account_id') ?? [];
  const faults = new ListFaults(list);
  const inKeys = { what: 'key', from: `${l.keys} k`, id: l.id(), type: types.id };
  await findUnknownIds(session, keys, { known: inKeys, faults });
  const inAccounts = { what: 'account', from: `${l.accounts} o`, id: l.accountId(), type: types.account };
  await findUnknownIds(session, accounts, { known: inAccounts, faults });
  faults.throwIfAny();
  return { keyIds: keys.map((k) => k.id), accountIds: accounts.map((a) => a.id) };
}

/** The holds as the parameters $1 and $2: the ids of held keys, and of held accounts. */
export const planParameters = (
  { types }: MappedSchema,
  holds: Holds,
): { source: HoldsSource; values: [string[], string[]] } => ({
  source: { from: 'parameters', keyIds: `$1::text[]::${types.id}[]`, accountIds: `$2::text[]::${types.account}[]` },
  values: [holds.keyIds, holds.accountIds],
});

/** The same for a statement without parameters of its own: no row is compared with holds where there are none. */
export const holdsToBind = (schema: MappedSchema, holds: Holds): { source: HoldsSource; values: unknown[] } =>
  holds.keyIds.length + holds.accountIds.length === 0
    ? { source: { from: 'nowhere' }, values: [] }
    : planParameters(schema, holds);
