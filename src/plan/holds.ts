import type { ReadSession } from '../database/session.js';
import { invalidList, readIdList } from '../files/id-list.js';
import { unknownIds } from '../files/known-ids.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';

/** Keys that an operator holds back (rule 9). Ids as text, as written in the file. */
export interface Holds {
  keyIds: string[];
  accountIds: string[];
}

/** No key is held back. */
export const NO_HOLDS: Holds = { keyIds: [], accountIds: [] };

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

/** Holds that an earlier `migrate` put in the ledger; none where there is no ledger we may read. */
export async function holdsOfLedger(session: ReadSession): Promise<Holds> {
  // to_regclass itself is refused to a role without USAGE, and a refused statement ends the plan's transaction.
  const { usable } = await session.one<{ usable: boolean }>(
    `SELECT coalesce(has_schema_privilege(to_regnamespace('keylift'), 'USAGE'), false) AS usable`,
  );
  if (!usable) return NO_HOLDS;
  const { readable } = await session.one<{ readable: boolean }>(
    `SELECT coalesce(has_table_privilege(to_regclass('keylift.holds'), 'SELECT'), false) AS readable`,
  );
  if (!readable) return NO_HOLDS;
  const { rows } = await session.query<{ key_id: string | null; account_id: string | null }>(
    'SELECT key_id::text AS key_id, account_id::text AS account_id FROM keylift.holds',
  );
  return { keyIds: rows.flatMap((r) => r.key_id ?? []), accountIds: rows.flatMap((r) => r.account_id ?? []) };
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
