import { dropLedgerTables, ledgerTables } from '../src/ledger/tables.js';
import { step } from './context.js';

/** Expand: the ledger. */
export const ledger = step({ name: '01_ledger', up: ledgerTables, down: () => [dropLedgerTables] });
