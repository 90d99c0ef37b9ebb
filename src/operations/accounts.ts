import { ListFaults, readIdList } from '../files/id-list.js';
import { findUnknownIds } from '../mapping/known-ids.js';
import type { Opened } from './opened.js';

/** The ids of an accounts file, all of which must exist. @throws `list_unreadable`, `list_invalid` */
export async function readAccounts(
  { database, schema: { legacy: l, types } }: Opened,
  file: string,
): Promise<string[]> {
  const list = { file, kind: 'accounts file', columns: ['account_id'] };
  const listed = (await readIdList(list)).get('account_id') ?? [];
  const faults = new ListFaults(list);
  const known = { what: 'account', from: `${l.accounts} o`, id: l.accountId(), type: types.account };
  await database.readOnly((session) => findUnknownIds(session, listed, { known, faults }));
  faults.throwIfAny();
  return listed.map(({ id }) => id);
}
