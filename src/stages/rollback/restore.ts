import { STEPS } from '../../../migrations/index.js';
import { counted } from '../../format.js';
import type { WriteSession } from '../../database/session.js';
import { archivedColumns } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { readInstalled } from '../../ledger/installed.js';
import { moveTo } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import { MARK_WRITES_OF_STAGE } from '../../mirror/own-writes.js';
import { BY_INDEX } from '../../database/by-index.js';
import { lockAccountKeys } from '../finalize/statements.js';
import { inPages, type Page } from './pages.js';
import { readArchived, restoreRows } from './statements.js';

/** Brings archived rows back into the legacy table, as they stand after all that was done in Settings since. */
export async function restoreArchive(context: StageContext): Promise<void> {
  const { database, schema, ddl, emit } = context;
  const { archive } = await database.readOnly((session) => readInstalled(session, schema.settings));
  if (!archive) return;
  await database.transaction((session) => moveTo(session, { state: 'restoring' }), {
    name: 'rollback: begin to restore',
  });
  // The mirror goes on first, so that a restored row follows its account key from its first moment.
  await ddl.down(STEPS.finalize.slice(1));
  await inPages(
    (after) =>
      database.transaction((session) => restorePage(session, schema, after), {
        name: 'rollback: restore a page of the archive',
        retry: 'underLoad',
      }),
    (restored) => {
      emit({ kind: 'step', text: `restored ${counted(restored, 'per-API row')}`, rows: restored });
    },
  );
  await ddl.down(STEPS.finalize.slice(0, 1));
}

/** All rows of a token come back together. */
async function restorePage(session: WriteSession, schema: MappedSchema, after: string | null): Promise<Page> {
  await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
  const { rows } = await session.query<{ id: string; account_key_id: string }>(readArchived(schema), [after]);
  if (rows.length === 0) return { keys: 0, last: null };
  const [ids, accountKeys] = [rows.map((r) => r.id), rows.map((r) => r.account_key_id)];
  await session.query(lockAccountKeys(schema), [accountKeys]);
  const columns = await archivedColumns(session, schema);
  const own = columns.filter((c) => !c.generated).map((c) => c.name);
  const { rowCount } = await session.query(restoreRows(schema, own), [ids, accountKeys]);
  return { keys: rowCount, last: rows.at(-1)!.id };
}
