import { ListFaults, readIdList, type ListedId } from '../files/id-list.js';
import { findUnknownIds } from '../mapping/known-ids.js';
import type { Opened } from './opened.js';

/** The ids of an accounts file, all of which must exist. @throws `list_unreadable`, `list_invalid` */
export async function readAccounts(opened: Opened, file: string): Promise<string[]> {
  const list = { file, kind: 'accounts file', columns: ['account_id'] };
  return requireAccounts(opened, (await readIdList(list)).get('account_id') ?? [], new ListFaults(list));
}

/** The same for a list of ids. @throws `list_invalid` */
export function checkAccounts(opened: Opened, given: readonly (string | number | bigint)[]): Promise<string[]> {
  const listed = [...new Set(given.map((id) => String(id).trim()))].map((id, at) => ({ id, line: at + 1 }));
  return requireAccounts(opened, listed, new ListFaults({ kind: 'list', file: 'accounts', unit: 'entry' }));
}

async function requireAccounts(
  { database, schema: { legacy: l, types } }: Opened,
  listed: readonly ListedId[],
  faults: ListFaults,
): Promise<string[]> {
  const known = { what: 'account', from: `${l.accounts} o`, id: l.accountId(), type: types.account };
  await database.readOnly((session) => findUnknownIds(session, listed, { known, faults }));
  faults.throwIfAny();
  return listed.map(({ id }) => id);
}
