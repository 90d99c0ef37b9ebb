import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { foreignKeyStatements } from '../finalize/foreign-keys.js';
import { lockAccountKeys } from '../finalize/statements.js';
import { letMovedKeysGo } from '../../mirror/change-log.js';
import {
  accountKeysOf,
  FORGET_MIGRATION,
  nativeKeys,
  perApiKeysOf,
  readArchived,
  removeCopiedKeys,
  removePage,
  restoreRows,
  vacuum,
} from './statements.js';

/** After finalize: what brings a page of archived rows back. */
export const restoring = (schema: MappedSchema): Statement[] => [
  { title: 'read the next page of archived rows', text: readArchived(schema) },
  { title: 'lock their account keys', text: lockAccountKeys(schema) },
  {
    title: 'restore the page',
    text: restoreRows(
      schema,
      schema.columns.filter(({ generated }) => !generated).map(({ name }) => name),
    ),
  },
];

/** What takes the account keys out, before the steps are taken back. */
export const removing = (schema: MappedSchema): Statement[] => [
  foreignKeyStatements(schema).back,
  { title: 'take a page of account keys out', text: removePage(schema) },
  { ...letMovedKeysGo(), title: 'before the mirror is on: let moved keys go' },
  { title: 'before the mirror is on: take all account keys out', text: removeCopiedKeys(schema) },
  { title: 'vacuum the new table', text: vacuum(schema) },
];

/** What ends a rollback, and what `rollback --accounts` reads. */
export const ending = (schema: MappedSchema): Statement[] => [
  ...FORGET_MIGRATION.map((text) => ({ title: 'forget the migration', text })),
  { title: 'list the native keys', text: nativeKeys(schema) },
  { title: 'rollback --accounts: find the account keys', text: accountKeysOf(schema) },
  { title: 'rollback --accounts: find the per-API keys, to settle them', text: perApiKeysOf(schema) },
];
