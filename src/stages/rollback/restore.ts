import { ARCHIVE_HOLDS } from './statements.js';
import { STEPS } from '../../../migrations/index.js';
import { counted } from '../../format.js';
import { readInstalled } from '../../ledger/installed.js';
import { moveTo } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import type { TriggerDecision } from '../../mapping/platform-triggers.js';
import { requireDecision } from '../platform-triggers.js';
import { inPages } from './pages.js';
import { restorePage } from './restore-page.js';

/**
 * Brings archived rows back into the legacy table, with all that was changed in Settings since.
 *
 * @throws `triggers_need_a_decision`, `triggers_change_rows`
 */
export async function restoreArchive(context: StageContext, triggers: TriggerDecision | undefined): Promise<void> {
  const { database, schema, ddl, emit } = context;
  const { archive } = await database.readOnly((session) => readInstalled(session, schema.settings));
  if (!archive) {
    // A run that died behind the step that dropped the archive left the step recorded.
    await ddl.down(STEPS.finalize);
    return;
  }
  await database.readOnly(async (session) => {
    const { holds } = await session.one<{ holds: boolean }>(ARCHIVE_HOLDS);
    if (holds) await requireDecision(session, schema, { event: 'INSERT', decision: triggers });
  });
  await database.transaction((session) => moveTo(session, { state: 'restoring' }), {
    name: 'rollback: begin to restore',
  });
  // The mirror goes on first, so that a restored row follows its account key from its first moment.
  await ddl.down(STEPS.finalize.slice(1));
  await inPages(
    (after) =>
      database.transaction((session) => restorePage(session, schema, { after, triggers }), {
        name: 'rollback: restore a page of the archive',
        retry: 'underLoad',
      }),
    (restored) => {
      emit({ kind: 'step', text: `restored ${counted(restored, 'per-API row')}`, rows: restored });
    },
  );
  await ddl.down(STEPS.finalize.slice(0, 1));
}
