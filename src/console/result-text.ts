import { counted, grouped } from '../format.js';
import type { FinalizeReport } from '../stages/finalize/finalize.js';
import type { MigrationReport } from '../stages/migrate.js';
import type { RollbackReport } from '../stages/rollback/rollback.js';
import type { SwitchReport } from '../stages/switch/switch.js';
import { table, wrap } from './layout.js';

const INDENTED = { rest: '  ' };

/** The result of `migrate`. */
export function migrationText({ stage, moved, merged, exceptions, batches, seconds }: MigrationReport): string {
  const keys = `${counted(moved, 'account key')}, ${grouped(merged)} merged into them`;
  const work = `${counted(batches, 'batch', 'batches')}, ${String(seconds)} s`;
  const done = `Migrated up to ${stage ?? 'nothing'}: ${keys}, ${counted(exceptions, 'exception')}; ${work}.`;
  const waiting = 'Exceptions wait for a person and work as before: keylift plan lists them (runbook.md#exceptions).';
  return [wrap(done, INDENTED), ...(exceptions > 0 ? [wrap(waiting, INDENTED)] : []), ''].join('\n');
}

/** The result of `switch`. */
export const switchText = ({ accounts }: SwitchReport): string =>
  `${grouped(accounts.switched)} of ${grouped(accounts.total)} accounts are answered from Settings.\n`;

/** The result of `finalize`. */
export const finalizeText = ({ state, archived }: FinalizeReport): string =>
  state === 'purged'
    ? `Purged: ${counted(archived, 'archived per-API row')} deleted. A rollback is no longer possible.\n`
    : `${wrap(
        `Finalized: ${counted(archived, 'per-API row')} in the archive; keylift rollback can still restore them, ` +
          'until finalize --purge.',
        INDENTED,
      )}\n`;

const NATIVE_SHOWN = 20;

/** The result of `rollback`, with the native keys that it keeps. */
export function rollbackText(report: RollbackReport): string {
  const native = report.born_in_settings;
  const left = native.length - NATIVE_SHOWN;
  return [
    wrap(rolledBackText(report), INDENTED),
    ...(native.length === 0
      ? []
      : [
          wrap(`${nativeText(native.length)} no per-API key to return to; kept, still opening the store:`, INDENTED),
          table(
            native
              .slice(0, NATIVE_SHOWN)
              .map((key) => [`key ${key.key_id}`, `account ${key.account_id}`, key.fingerprint, key.name ?? '']),
          ),
          ...(left > 0 ? [`  and ${String(left)} more; --json lists them`] : []),
        ]),
    ...leftText(report.left),
    '',
  ].join('\n');
}

/** Keys that the legacy table no longer accepts, with the reasons. */
function leftText(left: RollbackReport['left']): string[] {
  if (left.length === 0) return [];
  const more = left.length - NATIVE_SHOWN;
  const rows = left
    .slice(0, NATIVE_SHOWN)
    .map(({ key_id: id, reason, constraint }) => [`key ${id}`, reason, constraint ?? '']);
  return [
    wrap(
      `The legacy table no longer accepts ${counted(left.length, 'per-API key')}; the account keys stay and open the ` +
        'store (runbook.md#keys-that-a-rollback-leaves):',
      INDENTED,
    ),
    table(rows),
    ...(more > 0 ? [`  and ${String(more)} more; --json lists them`] : []),
  ];
}

const nativeText = (count: number): string => `${counted(count, 'native key')} ${count === 1 ? 'has' : 'have'}`;

function rolledBackText({ rolled_back: rolledBack, removed, accounts }: RollbackReport): string {
  if (!rolledBack) return 'Nothing to roll back.';
  const who =
    accounts === null ? 'every account is' : `${counted(accounts, 'account')} ${accounts === 1 ? 'is' : 'are'}`;
  return `Rolled back: ${counted(removed, 'account key')} removed; ${who} answered by per-API keys.`;
}
