import { STEPS } from '../../../migrations/index.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import type { Database } from '../../database/connect.js';
import type { WriteSession } from '../../database/session.js';
import { ARCHIVE, archivedColumns } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { surroundingsGate } from '../../preflight/surroundings.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { moveTo, readState, type LedgerState } from '../../ledger/migration.js';
import type { StageContext } from '../context.js';
import { proveOrStop } from '../migrate.js';
import { SQLSTATE, sqlStateOf } from '../../database/sqlstate.js';
import { BY_INDEX } from '../../database/by-index.js';
import { underLoad } from '../../database/under-load.js';
import { anythingPointsAt, pointingForeignKeys, type PointingForeignKey } from './foreign-keys.js';

const PAGE = 20_000;

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
  const { database, schema, ddl, run, progress } = context;
  const state = requireAllowed('finalize', await database.readOnly(readState));
  if (state.state === 'finalized' || state.state === 'purged')
    return { state: state.state, archived: await countArchived(database, state) };
  await database.readOnly((s) => surroundingsGate(s, schema, 'finalize'));
  await checkForeignKeys(database, schema);
  if (state.state === 'active') {
    await proveOrStop(context);
    await database.transaction(async (session) => {
      await moveTo(session, { state: 'finalizing' });
      await recordEvent(session, { kind: 'finalize_started', runId: run.runId });
    });
  }
  progress.stage('finalize');
  const started = performance.now();
  await ddl.up(STEPS.finalize.slice(0, 1));
  await archiveAll(context);
  await takeMirrorAway(context);
  await database.transaction(async (session) => {
    const seconds = (performance.now() - started) / 1000;
    await moveTo(session, { state: 'finalized', stage: 'finalize' }, { seconds });
    await recordEvent(session, { kind: 'finalized', runId: run.runId });
  });
  return { state: 'finalized', archived: await countArchived(database, { ...state, state: 'finalized' }) };
}

/** A key that got its account key behind its page leaves in that step, too, before anybody can change it without the mirror. */
async function takeMirrorAway(context: StageContext): Promise<void> {
  const { ddl } = context;
  const steps = STEPS.finalize.slice(1);
  try {
    await ddl.up(steps);
  } catch (error) {
    if (sqlStateOf(error) !== SQLSTATE.foreignKeyViolation) throw error;
    await archiveAll(context); // says which rows of which table point at it
    await ddl.up(steps);
  }
}

/** Deletes the archive: the only step without a way back. @throws `not_finalized` */
export async function purge({ database, run, stop, progress }: StageContext): Promise<FinalizeReport> {
  const state = requireAllowed('finalize --purge', await database.readOnly(readState));
  if (state.state === 'purged') return { state: 'purged', archived: 0 };
  const archived = await countArchived(database, state);
  // TRUNCATE wants the archive for itself: nobody may queue behind us for long.
  await underLoad(
    database,
    async (session) => {
      await session.query(`TRUNCATE ${ARCHIVE}`);
      await session.query(`UPDATE keylift.outcomes SET source = NULL WHERE source IS NOT NULL`);
      await moveTo(session, { state: 'purged' });
      await recordEvent(session, { kind: 'purged', runId: run.runId, facts: { archived } });
    },
    { stop, onWait: progress.waiting, wholeTable: true },
  );
  return { state: 'purged', archived };
}

async function checkForeignKeys(database: Database, schema: MappedSchema): Promise<void> {
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
  const { database, schema, stop, progress } = context;
  let after: string | null = null;
  let archived = 0;
  for (;;) {
    stop.throwIfAborted();
    const page: Page = await underLoad(
      database,
      (session, attempt) => archivePage(session, schema, { after, attempt }),
      { stop, onWait: progress.waiting },
    );
    archived += page.moved;
    if (page.moved > 0) progress.note(`archived ${String(archived)} per-API rows`, archived);
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
  const { legacy: l, types } = schema;
  await session.query(`SET LOCAL keylift.writer = 'keylift'; ${BY_INDEX}`);
  const { rows } = await session.query<{ id: string; account_key_id: string }>(
    `SELECT ${l.id()}::text AS id, coalesce(t.id, x.account_key_id)::text AS account_key_id
     FROM ${l.keys} k LEFT JOIN ${l.target} t ON t.id = ${l.id()} AND t.origin_api_id IS NOT NULL
       LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id()} AND x.outcome = 'merge'
     WHERE ($1::${types.id} IS NULL OR ${l.id()} > $1::${types.id}) AND (t.id IS NOT NULL OR x.key_id IS NOT NULL)
     ORDER BY ${l.id()} LIMIT ${String(PAGE)}`,
    [after],
  );
  if (rows.length === 0) return { moved: 0, last: null };
  const accountKeys = [...new Set(rows.map((r) => r.account_key_id))];
  // All rows of a token leave together: half of them would be judged as if they were all.
  const stillMoved = `${l.id()} IN (
      SELECT t.id FROM ${l.target} t WHERE t.id = ANY ($1::text[]::${types.id}[]) AND t.origin_api_id IS NOT NULL
      UNION ALL SELECT x.key_id FROM keylift.outcomes x WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($1::text[]::${types.id}[]))`;
  const lockRows = () =>
    session.query(`SELECT FROM ${l.keys} k WHERE ${stillMoved} ORDER BY ${l.id()} FOR UPDATE`, [accountKeys]);
  // A row that the old release writes without a pause is met in its own order every second time: its writers take it
  // first, those of Settings take the account key first.
  if (attempt % 2 === 0) await lockRows();
  await lockAccountKeys(session, schema, accountKeys);
  await lockRows();
  // With both locked nothing changes any more; what changed before that is no longer among them.
  const { rows: leaving } = await session.query<{ id: string }>(
    `SELECT ${l.id()}::text AS id FROM ${l.keys} k WHERE ${stillMoved}`,
    [accountKeys],
  );
  const ids = leaving.map((r) => r.id);
  await refusePointing(session, schema, ids);
  const columns = (await archivedColumns(session, schema)).map((c) => c.name);
  const { rowCount } = await session.query(
    `/* archiving a page of rows */ WITH gone AS (DELETE FROM ${l.keys} k WHERE ${l.id()} = ANY ($1::text[]::${types.id}[]) RETURNING ${columns.map((c) => `k.${c}`).join(', ')})
     INSERT INTO ${ARCHIVE} (${columns.join(', ')}) SELECT * FROM gone`,
    [ids],
  );
  return { moved: rowCount, last: rows.length < PAGE ? null : rows.at(-1)!.id };
}

/**
 * While rows change their place, a change made in Settings waits: its triggers then find the row where it went.
 * Without this a revocation could look for the row in both tables and find it in neither.
 */
export async function lockAccountKeys(
  session: WriteSession,
  { legacy: l, types }: MappedSchema,
  ids: string[],
): Promise<void> {
  await session.query(
    `SELECT FROM ${l.target} t WHERE t.id = ANY ($1::text[]::${types.id}[]) ORDER BY t.id FOR SHARE`,
    [ids],
  );
}

async function countArchived(database: Database, state: LedgerState): Promise<number> {
  if (state.state === 'purged') return 0;
  const { archived } = await database.readOnly((s) =>
    s.one<{ archived: string }>(`SELECT count(*) AS archived FROM ${ARCHIVE}`),
  );
  return Number(archived);
}
