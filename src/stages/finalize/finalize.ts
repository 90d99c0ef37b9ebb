import { STEPS } from '../../../migrations/index.js';
import { keyliftError } from '../../errors/keylift-error.js';
import { counted } from '../../format.js';
import type { Database } from '../../database/connect.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { surroundingsGate } from '../../preflight/surroundings.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { moveTo, readState, type LedgerState } from '../../ledger/migration.js';
import type { StageContext } from '../../run/context.js';
import { proveOrStop } from '../migrate.js';
import { requireMirror } from '../trust.js';
import { retry } from '../../database/retry.js';
import type { TriggerDecision } from '../../mapping/platform-triggers.js';
import { requireDecision } from '../platform-triggers.js';
import { addMissingColumns } from './archive-columns.js';
import { archivePage, type ArchivedPage } from './archive-page.js';
import { pointingForeignKeys } from './foreign-keys.js';
import { COUNT_ARCHIVED, EMPTY_ARCHIVE, FORGET_MERGED_ROWS } from './statements.js';

export interface FinalizeReport {
  state: 'finalized' | 'purged';
  /** Per-API rows in the archive; with a purge, those it deleted. */
  archived: number;
}

export interface FinalizeOptions {
  /** What the operator decided about the platform's triggers on deletes; undefined: nothing. */
  triggers?: TriggerDecision | undefined;
}

/**
 * Archives the moved per-API rows, in pages that can be interrupted anywhere, then takes the mirror away.
 *
 * @throws `not_switched`, `preflight`, `mirror_off`, `triggers_need_a_decision`, `foreign_keys_point`, `proof_failed`,
 *   `triggers_change_rows`.
 */
export async function finalize(context: StageContext, { triggers }: FinalizeOptions = {}): Promise<FinalizeReport> {
  const { database, schema, ddl, run, emit } = context;
  const state = requireAllowed('finalize', await database.readOnly(readState));
  if (state.state === 'finalized' || state.state === 'purged')
    return { state: state.state, archived: await countArchived(database, state) };
  await requireMirror(context);
  await database.readOnly((s) => surroundingsGate(s, schema, 'finalize'));
  await database.readOnly((s) => requireDecision(s, schema, { event: 'DELETE', decision: triggers }));
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
  await archiveAll(context, triggers);
  await takeMirrorAway(context, triggers);
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

/** The step refuses a key that moved after its page; it leaves in another page, and the step runs again. */
async function takeMirrorAway(context: StageContext, triggers: TriggerDecision | undefined): Promise<void> {
  const { ddl, stop } = context;
  await retry(() => ddl.up(STEPS.finalize.slice(1)), {
    policy: 'lateKeys',
    stop,
    onRetry: () => archiveAll(context, triggers),
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
  if (pointing.length === 0) return;
  throw keyliftError('foreign_keys_point', {
    message: 'rows of other tables reference per-API rows that finalize would archive',
    facts: { foreign_keys: pointing.map((f) => `${f.table}: ${f.constraint}`), ddl: pointing.flatMap((f) => f.ddl) },
  });
}

/** Pages by id, until no moved row is left in the legacy table. */
async function archiveAll(
  { database, schema, emit }: StageContext,
  triggers: TriggerDecision | undefined,
): Promise<void> {
  let after: string | null = null;
  let archived = 0;
  for (;;) {
    const page: ArchivedPage = await database.transaction(
      (session, attempt) => archivePage(session, schema, { after, attempt, triggers }),
      { name: 'finalize: archive a page', retry: 'underLoad' },
    );
    archived += page.moved;
    if (page.moved > 0) emit({ kind: 'step', text: `archived ${counted(archived, 'per-API row')}`, rows: archived });
    if (page.lacksColumns)
      await database.transaction((session) => addMissingColumns(session, schema), {
        name: 'finalize: add columns to the archive',
        retry: 'underLoad',
      });
    else if (page.last === null) return;
    after = page.last;
  }
}

async function countArchived(database: Database, state: LedgerState): Promise<number> {
  if (state.state === 'purged') return 0;
  const { archived } = await database.readOnly((s) => s.one<{ archived: string }>(COUNT_ARCHIVED));
  return Number(archived);
}
