import type { Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { foreignKeyStatements } from '../finalize/foreign-keys.js';
import { lockAccountKeys } from '../finalize/statements.js';
import { letMovedKeysGo } from '../../mirror/change-log.js';
import { NEEDING_FOREIGN_KEYS } from './foreign-keys.js';
import { keepWithoutApi, LEFT_KEYS, makeNative, restoreGroups } from './left-statements.js';
import { everyArchivedRowIsBack, FORGET_INSTALLATION } from './restored.js';
import {
  ARCHIVE_HOLDS,
  accountKeysOf,
  countRestored,
  FORGET_MIGRATION,
  forgetArchived,
  nativeKeys,
  perApiKeysOf,
  readArchived,
  readTogether,
  removeCopiedKeys,
  removePage,
  restoreRows,
  vacuum,
} from './statements.js';

/** After finalize: what brings a page of archived rows back. */
export const restoring = (schema: MappedSchema): Statement[] => [
  { title: 'look whether the archive has rows', text: ARCHIVE_HOLDS },
  { title: 'read the next page of archived rows', text: readArchived(schema) },
  { title: 'lock their account keys', text: lockAccountKeys(schema) },
  { title: 'read all rows behind them', text: readTogether(schema) },
  { title: 'restore the page', text: restoreRows(schema, written(schema)) },
  {
    title: 'where the legacy table refuses a row: restore the rows one by one',
    text: restoreGroups(schema, written(schema), []),
  },
  {
    title: 'compare the restored rows with the archive',
    text: countRestored(
      schema,
      written(schema).map((name) => ({ name, cast: '' })),
    ),
  },
  { title: 'delete the page from the archive', text: forgetArchived(schema) },
  { title: 'make native keys of account keys that stay', text: makeNative(schema) },
];

const written = ({ columns }: MappedSchema): string[] =>
  columns.filter(({ generated }) => !generated).map(({ name }) => name);

/** What takes the account keys out, before the steps are taken back. */
export const removing = (schema: MappedSchema): Statement[] => [
  { title: 'keep account keys whose API and per-API key are gone', text: keepWithoutApi(schema) },
  foreignKeyStatements(schema).back,
  { title: 'look for foreign keys that need an index which goes', text: NEEDING_FOREIGN_KEYS },
  { title: 'take a page of account keys out', text: removePage(schema) },
  { ...letMovedKeysGo(), title: 'before the mirror is on: let moved keys go' },
  { title: 'before the mirror is on: take all account keys out', text: removeCopiedKeys(schema) },
  { title: 'vacuum the new table', text: vacuum(schema) },
  { title: 'where the tables were restored: compare the archive', text: everyArchivedRowIsBack(schema) },
  { title: 'where the tables were restored: drop what is left', text: FORGET_INSTALLATION },
];

/** What ends a rollback, and what `rollback --accounts` reads. */
export const ending = (schema: MappedSchema): Statement[] => [
  ...FORGET_MIGRATION.map((text) => ({ title: 'forget the migration', text })),
  { title: 'list the native keys', text: nativeKeys(schema) },
  { title: 'list the keys that stay', text: LEFT_KEYS },
  { title: 'rollback --accounts: find the account keys', text: accountKeysOf(schema) },
  { title: 'rollback --accounts: find the per-API keys, to settle them', text: perApiKeysOf(schema) },
];
