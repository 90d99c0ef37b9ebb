import type { ReadSession } from '../database/session.js';
import { invalidList, readIdList } from '../files/id-list.js';
import { unknownIds } from '../files/known-ids.js';
import type { Holds } from '../ledger/holds.js';
import type { MappedSchema } from '../mapping/inspect.js';
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
  const kind = 'holds file';
  const lists = await readIdList(file, { kind, columns: ['account_id', 'key_id'] });
  const keys = lists.get('key_id') ?? [];
  const accounts = lists.get('account_id') ?? [];
  const faults = [
    ...(await unknownIds(session, keys, { what: 'key', from: `${l.keys} k`, id: l.id(), type: types.id })),
    ...(await unknownIds(session, accounts, {
      what: 'account',
      from: `${l.accounts} o`,
      id: l.accountId(),
      type: types.account,
    })),
  ];
  if (faults.length > 0) throw invalidList(file, kind, faults);
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
