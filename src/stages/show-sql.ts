import type { Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { copyStatement } from './backfill/copy-statements.js';
import { listDuplicates, listKeysWithoutAccount } from './backfill/listed-statements.js';

/** The statements that touch the big tables, as they run. */
export const planStatements = ({ legacy: l, types }: MappedSchema): Statement[] => [
  { title: 'list the duplicates (once)', text: listDuplicates(l) },
  { title: 'list the keys without an account (once)', text: listKeysWithoutAccount(l) },
  { title: copyStatement(l, types.id).title, text: copyStatement(l, types.id).text },
];
