import { STEPS } from '../../../migrations/index.js';
import type { WriteSession } from '../../database/session.js';
import { ARCHIVE, archivedColumns, hasArchive } from '../../legacy/archive.js';
import type { MappedSchema } from '../../legacy/inspect.js';
import { setState } from '../../ledger/state.js';
import type { StageContext } from '../context.js';
import { BY_INDEX } from '../../database/by-index.js';
import { lockAccountKeys } from '../finalize/finalize.js';
import { underLoad } from '../../database/under-load.js';

const PAGE = 20_000;

/** Brings archived rows back into the legacy table, as they stand after all that was done in Settings since. */
export async function restoreArchive(context: StageContext): Promise<void> {
  const { database, ddl } = context;
  if (!(await database.readOnly(hasArchive))) return;
  await database.transaction((session) => setState(session, 'restoring'));
  // The mirror goes on first, so that a restored row follows its account key from its first moment.
  await ddl.down(STEPS.finalize.slice(1));
  await restoreAll(context);
  await ddl.down(STEPS.finalize.slice(0, 1));
}

/** A page begins where the last one ended, since the way there leads over all that is gone; the last look begins anew. */
async function restoreAll({ database, schema, progress }: StageContext): Promise<void> {
  let restored = 0;
  for (let after: string | null = null; ;) {
    const from: string | null = after;
    const page: Page = await underLoad(database, (session) => restorePage(session, schema, from), { onWait: progress.waiting });
    restored += page.moved;
    if (page.moved > 0) progress.note(`restored ${String(restored)} per-API rows`, restored);
    if (page.last === null && from === null) return;
    after = page.last;
  }
}

interface Page {
  moved: number;
  /** The highest id that was looked for; null: the archive had none further on. */
  last: string | null;
}

/** All rows of a token come back together. */
async function restorePage(session: WriteSession, schema: MappedSchema, after: string | null): Promise<Page> {
  const { legacy: l, types } = schema;
  await session.query(`SET LOCAL keylift.writer = 'keylift'; ${BY_INDEX}`);
  const { rows } = await session.query<{ id: string; account_key_id: string }>(
    `SELECT ${l.id}::text AS id, coalesce(x.account_key_id, ${l.id})::text AS account_key_id
     FROM ${ARCHIVE} k LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id} AND x.outcome = 'merge'
     WHERE $1::${types.id} IS NULL OR ${l.id} > $1::${types.id}
     ORDER BY ${l.id} LIMIT ${String(PAGE)}`,
    [after],
  );
  if (rows.length === 0) return { moved: 0, last: null };
  await lockAccountKeys(session, schema, rows.map((r) => r.account_key_id));
  const columns = await archivedColumns(session, schema);
  const own = columns.filter((c) => !c.generated).map((c) => c.name);
  const { rowCount } = await session.query(
    `/* bringing back a page of the archive */ WITH gone AS (DELETE FROM ${ARCHIVE} k WHERE ${l.id} IN (
       SELECT unnest($1::text[]::${types.id}[] || $2::text[]::${types.id}[])
       UNION SELECT x.key_id FROM keylift.outcomes x WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($2::text[]::${types.id}[])) RETURNING ${own.map((c) => `k.${c}`).join(', ')})
     INSERT INTO ${l.keys} (${own.join(', ')}) OVERRIDING SYSTEM VALUE SELECT * FROM gone`,
    [rows.map((r) => r.id), rows.map((r) => r.account_key_id)],
  );
  return { moved: rowCount, last: rows.at(-1)!.id };
}
