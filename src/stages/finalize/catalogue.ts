import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { keepTriggers } from '../platform-triggers.js';
import { lacksColumns } from './archive-columns.js';
import { foreignKeyStatements } from './foreign-keys.js';
import {
  archiveRows,
  COUNT_ARCHIVED,
  EMPTY_ARCHIVE,
  FORGET_MERGED_ROWS,
  lockAccountKeys,
  lockRows,
  readLeaving,
  readPage,
} from './statements.js';

/** What finalize runs before its steps. */
export const beforeArchiving = (schema: MappedSchema): Statement[] => [foreignKeyStatements(schema).before];

/** What finalize runs for each page of rows, one transaction a page. */
export const archiving = (schema: MappedSchema): Statement[] => [
  { title: 'keep the triggers of the legacy table as they are', text: keepTriggers(schema.legacy.keys) },
  { title: 'look for columns that the archive lacks', text: lacksColumns(schema) },
  { title: 'read the next page of moved rows', text: readPage(schema) },
  { title: 'lock their account keys', text: lockAccountKeys(schema) },
  { title: 'lock the rows', text: lockRows(schema) },
  { title: 'read them again', text: readLeaving(schema) },
  foreignKeyStatements(schema).inPage,
  {
    title: 'archive the page',
    text: archiveRows(
      schema,
      schema.columns.map(({ name }) => name),
    ),
  },
];

/** The count that is printed, and what `finalize --purge` runs. */
export const afterArchiving = (): Statement[] => [
  { title: 'count the archived rows', text: COUNT_ARCHIVED },
  { title: 'finalize --purge: empty the archive', text: EMPTY_ARCHIVE },
  { title: 'finalize --purge: forget merged rows', text: FORGET_MERGED_ROWS },
];
