import { readState } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import { copyAll, failedRanges } from './copy.js';

/**
 * One turn of a run that joined another one: while that one backfills, copies ranges beside it. Ranges are handed
 * out by PostgreSQL, so nothing else has to be agreed upon. Returns when there is nothing to help with.
 */
export async function assistBackfill(context: StageContext): Promise<void> {
  const state = await context.database.readOnly(readState);
  if (state?.state !== 'active' || state.stage !== 'expand') return;
  const { ready } = await context.database.readOnly((session) =>
    session.one<{ ready: boolean }>(
      // Before the duplicates are listed a batch could copy one of them.
      `SELECT EXISTS (SELECT FROM keylift.batches WHERE state = 'pending')
         AND (SELECT searched FROM keylift.migration) AS ready`,
    ),
  );
  if (!ready) return;
  context.emit({ kind: 'stage', stage: 'backfill', note: 'helping the run that leads' });
  const failed = await copyAll(context);
  if (failed.length > 0) throw failedRanges(failed);
}
