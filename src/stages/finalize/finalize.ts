import { STEPS } from '../../../migrations/index.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { counted } from '../../format.js';
import type { Database } from '../../database/connect.js';
import type { WriteSession } from '../../database/session.js';
import { archivedColumns } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { surroundingsGate } from '../../preflight/surroundings.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { moveTo, readState, type LedgerState } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import { proveOrStop } from '../migrate.js';
import { retry } from '../../database/retry.js';
import { MARK_WRITES_OF_STAGE } from '../../mirror/own-writes.js';
import { BY_INDEX } from '../../database/by-index.js';
import { anythingPointsAt, pointingForeignKeys, type PointingForeignKey } from './foreign-keys.js';
import {
  archiveRows,
  COUNT_ARCHIVED,
  EMPTY_ARCHIVE,
  FORGET_MERGED_ROWS,
  lockAccountKeys,
  lockRows,
  PAGE,
  readLeaving,
  readPage,
} from './statements.js';

export interface FinalizeReport {
  state: 'finalized' | 'purged';
  /** Per-API rows in the archive; with a purge, those it deleted. */
  archived: number;
}

/**
 * Archives the moved per-API rows, in pages that can be interrupted anywhere, then takes the mirror away.
 *
 * @throws `not_switched`, `preflight`, `foreign_keys_point`, `proof_failed`.
 */
export async function finalize(context: StageContext): Promise<FinalizeReport> {
  const { database, schema, ddl, run, emit } = context;
  const state = requireAllowed('finalize', await database.readOnly(readState));
  if (state.state === 'finalized' || state.state === 'purged')
    return { state: state.state, archived: await countArchived(database, state) };
  await database.readOnly((s) => surroundingsGate(s, schema, 'finalize'));
  await checkForeignKeys(database, schema);
  if (state.state === 'active') {
    await proveOrStop(context);
    await database.transaction(
      async (session) => {
        await moveTo(session, { state: 'finalizing' });
        await recordEvent(session, { kind: 'finalize_started', runId: run.runId });
      },
      { name: 'finalize: begin' },
    );
  }
  emit({ kind: 'stage', stage: 'finalize' });
  const started = performance.now();
  await ddl.up(STEPS.finalize.slice(0, 1));
  await archiveAll(context);
  await takeMirrorAway(context);
  await database.transaction(
    async (session) => {
      const seconds = (performance.now() - started) / 1000;
      await moveTo(session, { state: 'finalized', stage: 'finalize' }, { seconds });
      await recordEvent(session, { kind: 'finalized', runId: run.runId });
    },
    { name: 'finalize: complete' },
  );
  return { state: 'finalized', archived: await countArchived(database, { ...state, state: 'finalized' }) };
}

/** A key that moved after its page leaves in this step, too, before a writer can change it without the mirror. */
async function takeMirrorAway(context: StageContext): Promise<void> {
  const { ddl, stop } = context;
  await retry(() => ddl.up(STEPS.finalize.slice(1)), {
    policy: 'lateReference',
    stop,
    onRetry: () => archiveAll(context), // names the rows of other tables that point at the key
  });
}

/** Deletes the archive: the only step without a way back. @throws `not_finalized` */
export async function purge({ database, run }: StageContext): Promise<FinalizeReport> {
  const state = requireAllowed('finalize --purge', await database.readOnly(readState));
  if (state.state === 'purged') return { state: 'purged', archived: 0 };
  const archived = await countArchived(database, state);
  // TRUNCATE wants the archive for itself: nobody may queue behind us for long.
  await database.transaction(
    async (session) => {
      await session.query(EMPTY_ARCHIVE);
      await session.query(FORGET_MERGED_ROWS);
      await moveTo(session, { state: 'purged' });
      await recordEvent(session, { kind: 'purged', runId: run.runId, facts: { archived } });
    },
    { name: 'purge: empty the archive', retry: 'underLoad', wholeTable: true },
  );
  return { state: 'purged', archived };
}

/** @throws `foreign_keys_point` */
export async function checkForeignKeys(database: Database, schema: MappedSchema): Promise<void> {
  const pointing = await database.readOnly((s) => pointingForeignKeys(s, schema));
  if (pointing.length > 0) throw foreignKeysPoint(pointing);
}

/** A row of another table that came after the first look; a cascade would take it along without a word. */
async function refusePointing(session: WriteSession, schema: MappedSchema, ids: string[]): Promise<void> {
  if (await anythingPointsAt(session, schema, ids)) throw foreignKeysPoint(await pointingForeignKeys(session, schema));
}

const foreignKeysPoint = (pointing: PointingForeignKey[]): KeyliftError =>
  keyliftError('foreign_keys_point', {
    message: 'rows of other tables reference per-API rows that finalize would archive',
    facts: { foreign_keys: pointing.map((f) => `${f.table}: ${f.constraint}`), ddl: pointing.flatMap((f) => f.ddl) },
  });

/** Pages by id; a page's rows leave their table and enter the archive in one transaction. */
async function archiveAll(context: StageContext): Promise<void> {
  const { database, schema, emit } = context;
  let after: string | null = null;
  let archived = 0;
  for (;;) {
    const page: Page = await database.transaction(
      (session, attempt) => archivePage(session, schema, { after, attempt }),
      { name: 'finalize: archive a page', retry: 'underLoad' },
    );
    archived += page.moved;
    if (page.moved > 0) emit({ kind: 'step', text: `archived ${counted(archived, 'per-API row')}`, rows: archived });
    if (page.last === null) return;
    after = page.last;
  }
}

interface Page {
  moved: number;
  last: string | null;
}

async function archivePage(
  session: WriteSession,
  schema: MappedSchema,
  { after, attempt }: { after: string | null; attempt: number },
): Promise<Page> {
  await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
  const { rows } = await session.query<{ id: string; account_key_id: string }>(readPage(schema), [after]);
  if (rows.length === 0) return { moved: 0, last: null };
  const accountKeys = [...new Set(rows.map((r) => r.account_key_id))];
  // The platform's writers take a per-API row first, those of Settings the account key first: every second attempt takes
  // the rows first, so that it gets through where the platform writes one of them without a pause.
  if (attempt % 2 === 0) await session.query(lockRows(schema), [accountKeys]);
  await session.query(lockAccountKeys(schema), [accountKeys]);
  await session.query(lockRows(schema), [accountKeys]);
  // With both locked nothing changes any more; what changed before is no longer among the rows that leave.
  const { rows: leaving } = await session.query<{ id: string }>(readLeaving(schema), [accountKeys]);
  const ids = leaving.map((r) => r.id);
  await refusePointing(session, schema, ids);
  const columns = (await archivedColumns(session, schema)).map((c) => c.name);
  const { rowCount } = await session.query(archiveRows(schema, columns), [ids]);
  return { moved: rowCount, last: rows.length < PAGE ? null : rows.at(-1)!.id };
}

async function countArchived(database: Database, state: LedgerState): Promise<number> {
  if (state.state === 'purged') return 0;
  const { archived } = await database.readOnly((s) => s.one<{ archived: string }>(COUNT_ARCHIVED));
  return Number(archived);
}
