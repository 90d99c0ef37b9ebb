import { revokeLedgerFromOthers } from '../src/database/rights.js';
import { dropLedgerTables, ledgerTables } from '../src/ledger/tables.js';
import { dropFunctionsTable, functionsTable } from '../src/mirror/note-functions.js';
import { dropOwnWrites, ownWrites } from '../src/mirror/own-writes.js';
import { step } from './context.js';

/** Expand: the ledger. */
export const ledger = step({
  name: '01_ledger',
  up: (schema) => [...ledgerTables(schema), functionsTable, ...ownWrites(), revokeLedgerFromOthers],
  down: () => [dropOwnWrites, dropFunctionsTable, dropLedgerTables],
});
