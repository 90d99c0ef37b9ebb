import type { Statement } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { copyStatement } from './backfill/copy-statements.js';
import { listOrphans, listRepeated } from './backfill/listed-statements.js';

/** The statements that touch the big tables, as they run. */
export const planStatements = ({ legacy: l, types }: MappedSchema): Statement[] => [
  { title: 'list the keys with repeated tokens (once)', text: listRepeated(l) },
  { title: 'list the keys whose account is missing (once)', text: listOrphans(l) },
  { title: copyStatement(l, types.id).title, text: copyStatement(l, types.id).text },
];
