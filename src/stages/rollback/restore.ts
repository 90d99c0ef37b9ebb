import { STEPS } from '../../../migrations/index.js';
import type { WriteSession } from '../../database/session.js';
import { ARCHIVE, archivedColumns, hasArchive } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { moveTo } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import { BY_INDEX } from '../../database/by-index.js';
import { lockAccountKeys } from '../finalize/finalize.js';
import { inPages, type Page } from './pages.js';

const PAGE = 20_000;

/** Brings archived rows back into the legacy table, as they stand after all that was done in Settings since. */
export async function restoreArchive(context: StageContext): Promise<void> {
  const { database, schema, ddl, emit } = context;
  if (!(await database.readOnly(hasArchive))) return;
  await database.transaction((session) => moveTo(session, { state: 'restoring' }));
  // The mirror goes on first, so that a restored row follows its account key from its first moment.
  await ddl.down(STEPS.finalize.slice(1));
  await inPages(
    (after) => database.transaction((session) => restorePage(session, schema, after), { retry: 'underLoad' }),
    (restored) => {
      emit({ kind: 'step', text: `restored ${String(restored)} per-API rows`, rows: restored });
    },
  );
  await ddl.down(STEPS.finalize.slice(0, 1));
}

/** All rows of a token come back together. */
async function restorePage(session: WriteSession, schema: MappedSchema, after: string | null): Promise<Page> {
  const { legacy: l, types } = schema;
  await session.query(`SET LOCAL keylift.writer = 'keylift'; ${BY_INDEX}`);
  const { rows } = await session.query<{ id: string; account_key_id: string }>(
    `SELECT ${l.id()}::text AS id, coalesce(x.account_key_id, ${l.id()})::text AS account_key_id
     FROM ${ARCHIVE} k LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id()} AND x.outcome = 'merge'
     WHERE $1::${types.id} IS NULL OR ${l.id()} > $1::${types.id}
     ORDER BY ${l.id()} LIMIT ${String(PAGE)}`,
    [after],
  );
  if (rows.length === 0) return { keys: 0, last: null };
  await lockAccountKeys(
    session,
    schema,
    rows.map((r) => r.account_key_id),
  );
  const columns = await archivedColumns(session, schema);
  const own = columns.filter((c) => !c.generated).map((c) => c.name);
  const { rowCount } = await session.query(
    `/* bringing back a page of the archive */ WITH gone AS (DELETE FROM ${ARCHIVE} k WHERE ${l.id()} IN (
       SELECT unnest($1::text[]::${types.id}[] || $2::text[]::${types.id}[])
       UNION SELECT x.key_id FROM keylift.outcomes x WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($2::text[]::${types.id}[])) RETURNING ${own.map((c) => `k.${c}`).join(', ')})
     INSERT INTO ${l.keys} (${own.join(', ')}) OVERRIDING SYSTEM VALUE SELECT * FROM gone`,
    [rows.map((r) => r.id), rows.map((r) => r.account_key_id)],
  );
  return { keys: rowCount, last: rows.at(-1)!.id };
}
