import type { MigrationReport } from '../stages/migrate.js';
import { counted, grouped } from '../format.js';
import { wrap } from './layout.js';

/** How a migration ended, as a person reads it. */
export function migrationText(report: MigrationReport): string {
  return [
    wrap(
      `Migrated up to ${report.stage ?? 'nothing'}: ${counted(report.moved, 'account key')}, ${grouped(report.merged)} merged into them, ${counted(report.exceptions, 'exception')}; ${grouped(report.batches)} ${report.batches === 1 ? 'batch' : 'batches'}, ${String(report.seconds)} s.`,
      { rest: '  ' },
    ),
    ...(report.exceptions > 0
      ? [
          wrap('Exceptions wait for a person and work as before: keylift plan lists them (runbook.md#exceptions).', {
            rest: '  ',
          }),
        ]
      : []),
    '',
  ].join('\n');
}
