import { STEPS } from '../../../migrations/index.js';
import { counted } from '../../format.js';
import type { Database } from '../../database/connect.js';
import { forgetSteering } from '../../ledger/control.js';
import { surroundingsGate } from '../../preflight/surroundings.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { readInstalled } from '../../ledger/installed.js';
import { moveTo, readState } from '../../ledger/migration.js';
import { isBegun } from '../../ledger/states.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { catchUpAll } from '../last-use.js';
import type { StageContext } from '../../run/context.js';
import { letMovedKeysGo } from '../../mirror/change-log.js';
import { MARK_WRITES_OF_STAGE } from '../../mirror/own-writes.js';
import { BY_INDEX } from '../../database/by-index.js';
import type { TriggerDecision } from '../../mapping/platform-triggers.js';
import { applySwitch } from '../switch/rule.js';
import { refuseForeignKeys } from './foreign-keys.js';
import { leftKeys, type LeftKey } from './left.js';
import { keepWithoutApi } from './left-statements.js';
import { inPages, type Page } from './pages.js';
import { forgetRestored, wasRestored } from './restored.js';
import { restoreArchive } from './restore.js';
import { FORGET_MIGRATION, nativeKeys, PAGE, removeCopiedKeys, removePage, vacuum } from './statements.js';

/** A key born in Settings: it has no per-API home, so it is listed, kept, and goes on opening the store. */
export interface BornKey {
  key_id: string;
  account_id: string;
  name: string | null;
  fingerprint: string;
}

export interface RollbackReport {
  /** False when there was nothing to take back. */
  rolled_back: boolean;
  /** Accounts asked for; null: all of them. */
  accounts: number | null;
  /** Account keys taken out of the new table. */
  removed: number;
  born_in_settings: BornKey[];
  /** Per-API keys that the legacy table no longer accepts; their account keys stay. */
  left: LeftKey[];
}

export interface RollbackOptions {
  /** What the operator decided about the platform's triggers on inserts; undefined: nothing. */
  triggers?: TriggerDecision | undefined;
}

/** The answer where there is no migration, or where it was rolled back before. */
export const nothingToRollBack = async (database: Database, schema: MappedSchema): Promise<RollbackReport> => ({
  rolled_back: false,
  accounts: null,
  removed: 0,
  born_in_settings: await bornKeys(database, schema),
  left: await leftKeys(database, schema),
});

/**
 * Every account back on its per-API keys, moved rows out of the new table, the mirror gone; what people did since
 * stands in the legacy table already, as the mirror carried it. Safe to run again at any point.
 */
export async function rollBack(context: StageContext, { triggers }: RollbackOptions = {}): Promise<RollbackReport> {
  const { database, schema, ddl, run, emit } = context;
  const state = requireAllowed('rollback', await database.readOnly(readState));
  if (!isBegun(state)) return nothingToRollBack(database, schema);
  if (await wasRestored(context)) {
    await forgetRestored(context, state);
    return { ...(await nothingToRollBack(database, schema)), rolled_back: true };
  }
  await database.readOnly((s) => surroundingsGate(s, schema, 'rollback'));
  emit({ kind: 'stage', stage: 'rollback' });
  await restoreArchive(context, triggers);
  await database.readOnly((session) => refuseForeignKeys(session, schema));
  await database.transaction(
    async (session) => {
      await moveTo(session, { state: 'rolling_back' });
      await recordEvent(session, { kind: 'rollback_started', runId: run.runId, facts: { stage: state.stage } });
    },
    { name: 'rollback: begin' },
  );
  const steps = await ddl.completed();
  await database.transaction((session) => applySwitch(session, schema, { scope: { kind: 'all' }, back: true }), {
    name: 'rollback: switch all accounts back',
  });
  emit({ kind: 'step', text: 'every account is answered by its per-API keys' });
  const removed = await emptyTarget(context, steps);
  await ddl.down(STEPS.harden);
  await ddl.down(STEPS.expand);
  await database.transaction(
    async (session) => {
      for (const statement of FORGET_MIGRATION) await session.query(statement);
      await forgetSteering(session);
      await moveTo(session, { state: 'rolled_back', stage: null });
      await recordEvent(session, { kind: 'rolled_back', runId: run.runId, facts: { removed } });
    },
    { name: 'rollback: complete' },
  );
  return { ...(await nothingToRollBack(database, schema)), rolled_back: true, removed };
}

/** Until the mirror is on no index finds the rows of a page, and no change in Settings can meet them: one statement. */
async function emptyTarget(context: StageContext, steps: ReadonlySet<string>): Promise<number> {
  const { database, schema } = context;
  // A rollback from half an expand finds no table to empty.
  if (!steps.has('05_change_log')) return 0;
  if (steps.has('09_mirror')) {
    await catchUpAll(database, schema);
    await database.transaction(
      async (session) => {
        await session.query(MARK_WRITES_OF_STAGE);
        await session.query(keepWithoutApi(schema));
      },
      { name: 'rollback: keep the account keys of deleted APIs', retry: 'underLoad' },
    );
  }
  const removed = steps.has('09_mirror') ? await removeMoved(context) : await removeCopied(context);
  // The step that drops the triggers looks through the table once more under a lock: leave it little to read.
  await database
    .withSession((session) => session.query(vacuum(schema)), { name: 'rollback: vacuum the new table' })
    .catch(() => undefined);
  return removed;
}

async function removeCopied({ database, schema, emit }: StageContext): Promise<number> {
  const removed = await database.transaction(
    async (session) => {
      await session.query(letMovedKeysGo().text);
      return (await session.query(removeCopiedKeys(schema))).rowCount;
    },
    { name: 'rollback: delete the copied account keys', retry: 'underLoad', asynchronousCommit: true },
  );
  emit({ kind: 'step', text: `took ${String(removed)} account keys back`, rows: removed });
  return removed;
}

/** Moved rows leave in pages by id; the mirror stays on until the last, so that no revocation falls between. */
async function removeMoved({ database, schema, emit }: StageContext): Promise<number> {
  return inPages(
    (after) =>
      database.transaction(
        async (session) => {
          await session.query(`${MARK_WRITES_OF_STAGE}; ${BY_INDEX}`);
          return session.one<Page>(removePage(schema), [after, PAGE]);
        },
        { name: 'rollback: delete a page of account keys', asynchronousCommit: true, retry: 'underLoad' },
      ),
    (removed) => {
      emit({ kind: 'step', text: `took ${counted(removed, 'account key')} back`, rows: removed });
    },
  );
}

/** Keys born in Settings, for the operator's list. Tokens are shown by fingerprint alone. */
export async function bornKeys(database: Database, schema: MappedSchema): Promise<BornKey[]> {
  return database.readOnly(async (session) => {
    const { target, ledger } = await readInstalled(session, schema.settings);
    // After an uninstall the table belongs to the platform.
    if (!target || !ledger) return [];
    const { rows } = await session.query<BornKey>(nativeKeys(schema));
    return rows;
  });
}
