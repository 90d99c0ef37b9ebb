import { accountKeysTable, dropAccountKeysTable } from '../src/mapping/account-keys.js';
import { step } from './context.js';

/** Expand: the table that Settings lists. */
export const accountKeys = step({
  name: '02_account_keys',
  up: accountKeysTable,
  down: (schema) => [dropAccountKeysTable(schema)],
});
