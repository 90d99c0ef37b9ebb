import { invalidList, readIdList } from '../files/id-list.js';
import { unknownIds } from '../files/known-ids.js';
import type { Opened } from './opened.js';

/** The ids of an accounts file, all of which must exist. @throws `list_invalid` */
export async function readAccounts(
  { database, schema: { legacy: l, types } }: Opened,
  file: string,
): Promise<string[]> {
  const kind = 'accounts file';
  const listed = (await readIdList(file, { kind, columns: ['account_id'] })).get('account_id') ?? [];
  const faults = await database.readOnly((session) =>
    unknownIds(session, listed, { what: 'account', from: `${l.accounts} o`, id: l.accountId(), type: types.account }),
  );
  if (faults.length > 0) throw invalidList(file, kind, faults);
  return listed.map(({ id }) => id);
}
