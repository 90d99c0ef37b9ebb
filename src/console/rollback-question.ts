import { counted, grouped } from '../format.js';
import type { RollbackPreview } from '../stages/rollback/preview.js';
import { table, wrap } from './layout.js';

const INDENTED = { rest: '  ' };

/** What `rollback` shows above its question. `listed`: how many accounts the operator listed; undefined: all. */
export function rollbackLines(preview: RollbackPreview, listed: number | undefined): string[] {
  return [
    wrap(accountsText(preview, listed), INDENTED),
    ...named(
      preview.namedAccounts.map(({ id, name }) => [`account ${id}`, name ?? '']),
      listed ?? 0,
    ),
    ...(preview.archived === 0 ? [] : [`${counted(preview.archived, 'archived per-API row')} will be restored.`]),
    ...(preview.native === 0 ? [] : nativeLines(preview)),
    'Changes made since the migration began are kept.',
  ];
}

function accountsText({ accounts, keys }: RollbackPreview, listed: number | undefined): string {
  const who = listed === undefined ? 'Every account' : `${counted(listed, 'listed account')}`;
  return (
    `${who} will be answered by per-API keys again: ${counted(keys, 'account key')} of ` +
    `${counted(accounts, 'account')} will be removed.`
  );
}

function nativeLines({ native, namedNative }: RollbackPreview): string[] {
  const which = native === 1 ? '1 native key has' : `${grouped(native)} native keys have`;
  return [
    wrap(`${which} no per-API key to return to; kept, still opening the store:`, INDENTED),
    ...named(
      namedNative.map((key) => [`key ${key.key_id}`, `account ${key.account_id}`, key.fingerprint, key.name ?? '']),
      native,
    ),
  ];
}

function named(rows: string[][], all: number): string[] {
  const left = all - rows.length;
  return rows.length === 0 ? [] : [table(rows), ...(left > 0 ? [`  and ${grouped(left)} more`] : [])];
}
