import type { WriteSession } from '../../database/session.js';
import { BY_INDEX } from '../../database/by-index.js';
import { archivedColumns } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { MARK_WRITES_OF_STAGE } from '../../mirror/own-writes.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { TriggerDecision } from '../../mapping/platform-triggers.js';
import { lockTriggers, type PageTriggers } from '../platform-triggers.js';
import { refusedByTriggers, throughTriggers } from '../trigger-refusals.js';
import { archiveLacksColumns } from './archive-columns.js';
import { pointingForeignKeys } from './foreign-keys.js';
import { referencesTo } from './references.js';
import {
  archiveRows,
  countRows,
  lockAccountKeys,
  lockRows,
  PAGE,
  readLeaving,
  readPage,
  type ArchivedRows,
} from './statements.js';

export interface ArchivedPage {
  moved: number;
  /** Null: no row is left further on. */
  last: string | null;
  /** The platform has added a column; the page is to be taken again once the archive has it. */
  lacksColumns?: true;
}

export interface ArchiveOrder {
  after: string | null;
  attempt: number;
  triggers: TriggerDecision | undefined;
}

/** Moves a page of rows to the archive; the page's rows leave their table and enter the archive in one transaction. */
export async function archivePage(
  session: WriteSession,
  schema: MappedSchema,
  { after, attempt, triggers: decision }: ArchiveOrder,
): Promise<ArchivedPage> {
  await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
  const triggers = await lockTriggers(session, schema, { event: 'DELETE', decision });
  // With the table locked no column can be added any more.
  if (await archiveLacksColumns(session, schema)) return { moved: 0, last: after, lacksColumns: true };
  const { rows } = await session.query<{ id: string; account_key_id: string }>(readPage(schema), [after]);
  if (rows.length === 0) return { moved: 0, last: null };
  const accountKeys = [...new Set(rows.map((r) => r.account_key_id))];
  const ids = await lockLeaving(session, schema, { accountKeys, rowsFirst: attempt % 2 === 0 });
  await refuseReferenced(session, schema, ids);
  const columns = (await archivedColumns(session, schema)).map((c) => c.name);
  const moved = await archive(session, schema, { ids, columns, triggers });
  return { moved, last: rows.length < PAGE ? null : rows.at(-1)!.id };
}

/**
 * The platform's writers take a per-API row first, those of Settings the account key first: every second attempt takes
 * the rows first, so that it gets through where the platform writes one of them without a pause.
 */
async function lockLeaving(
  session: WriteSession,
  schema: MappedSchema,
  { accountKeys, rowsFirst }: { accountKeys: string[]; rowsFirst: boolean },
): Promise<string[]> {
  if (rowsFirst) await session.query(lockRows(schema), [accountKeys]);
  await session.query(lockAccountKeys(schema), [accountKeys]);
  await session.query(lockRows(schema), [accountKeys]);
  // With both locked nothing changes any more; what changed before is no longer among the rows that leave.
  const { rows } = await session.query<{ id: string }>(readLeaving(schema), [accountKeys]);
  return rows.map((r) => r.id);
}

/** A row of another table that came after the first look; a cascade would delete it with the per-API row. */
async function refuseReferenced(session: WriteSession, schema: MappedSchema, ids: string[]): Promise<void> {
  const references = await referencesTo(session, schema, ids);
  if (references.length === 0) return;
  const pointing = await pointingForeignKeys(session, schema);
  throw keyliftError('foreign_keys_point', {
    message: 'rows of other tables reference per-API rows that finalize would archive',
    facts: { foreign_keys: references, ddl: pointing.flatMap((f) => f.ddl) },
  });
}

/** @throws `triggers_change_rows` where not every row left as it was read; the page is rolled back then */
async function archive(
  session: WriteSession,
  schema: MappedSchema,
  { ids, columns, triggers }: { ids: string[]; columns: string[]; triggers: PageTriggers },
): Promise<number> {
  const page = await throughTriggers('archived', triggers, () =>
    session.one<ArchivedRows>(archiveRows(schema, columns), [ids]),
  );
  const back = triggers.fired.length === 0 ? 0 : (await session.one<{ rows: number }>(countRows(schema), [ids])).rows;
  const whole = [page.read, page.deleted, page.archived].every((count) => count === ids.length);
  if (whole && page.different === 0 && back === 0) return page.archived;
  throw refusedByTriggers('archived', triggers, { meant: ids.length, ...page, left_in_table: back });
}
