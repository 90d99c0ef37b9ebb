import type { RollbackReport } from '../stages/rollback/rollback.js';
import { counted } from '../format.js';
import { table } from './layout.js';

const SHOWN = 20;

/** What a rollback did, and the keys it could not send home, as a person reads it. */
export function rollbackText(report: RollbackReport): string {
  const born = report.born_in_settings;
  return [
    report.rolled_back
      ? `Rolled back: ${counted(report.removed, 'account key')} taken out; ${report.accounts === null ? 'every account is' : `${counted(report.accounts, 'account')} ${report.accounts === 1 ? 'is' : 'are'}`} answered by per-API keys.`
      : 'Nothing to roll back.',
    ...(born.length === 0
      ? []
      : [
          `${counted(born.length, 'key')} born in Settings ${born.length === 1 ? 'has' : 'have'} no per-API home; kept, and still opening the store:`,
          table(
            born
              .slice(0, SHOWN)
              .map((k) => [`key ${k.key_id}`, `account ${k.account_id}`, k.fingerprint, k.name ?? '']),
          ),
          ...(born.length > SHOWN ? [`  and ${String(born.length - SHOWN)} more; --json lists them`] : []),
        ]),
    '',
  ].join('\n');
}
