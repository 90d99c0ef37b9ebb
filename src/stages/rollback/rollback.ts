import { STEPS } from '../../../migrations/index.js';
import { keyliftError } from '../../errors/keylift-error.js';
import type { Database } from '../../database/connect.js';
import { forgetSteering } from '../../ledger/control.js';
import { surroundingsGate } from '../../preflight/surroundings.js';
import { recordEvent } from '../../ledger/events.js';
import { requireAllowed } from '../../ledger/allowed.js';
import { moveTo, readState, type LedgerState } from '../../ledger/migration.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { catchUpAll } from '../last-use.js';
import type { StageContext } from '../context.js';
import { BY_INDEX } from '../../database/by-index.js';
import { underLoad } from '../../database/under-load.js';
import { applySwitch } from '../switch/rule.js';
import { foreignKeysToTakeBack } from '../finalize/foreign-keys.js';
import { inPages, type Page } from './pages.js';
import { restoreArchive } from './restore.js';

const PAGE = 20_000;

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
}

/** Is there anything to roll back? Also true for a rollback that was interrupted. */
export const canRollBack = (state: LedgerState | null): state is LedgerState =>
  state !== null && state.state !== 'rolled_back';

/** The answer where there is no migration, or where it was rolled back before. */
export const nothingToRollBack = async (database: Database, schema: MappedSchema): Promise<RollbackReport> => ({
  rolled_back: false,
  accounts: null,
  removed: 0,
  born_in_settings: await bornKeys(database, schema),
});

/**
 * Every account back on its per-API keys, moved rows out of the new table, the mirror gone; what people did since
 * stands in the legacy table already, as the mirror carried it. Safe to run again at any point.
 */
export async function rollBack(context: StageContext): Promise<RollbackReport> {
  const { database, schema, ddl, run, progress } = context;
  const state = requireAllowed('rollback', await database.readOnly(readState));
  if (!canRollBack(state)) return nothingToRollBack(database, schema);
  await database.readOnly((s) => surroundingsGate(s, schema, 'rollback'));
  progress.stage('rollback');
  await restoreArchive(context);
  await checkForeignKeys(context);
  await database.transaction(async (session) => {
    await moveTo(session, { state: 'rolling_back' });
    await recordEvent(session, { kind: 'rollback_started', runId: run.runId, facts: { stage: state.stage } });
  });
  const steps = await ddl.completed();
  await database.transaction((session) => applySwitch(session, schema, { scope: { kind: 'all' }, back: true }));
  progress.note('every account is answered by its per-API keys');
  // A rollback from half an expand finds no table to empty.
  const removed = steps.has('05_mirror') ? await emptyTarget(context) : 0;
  await ddl.down(STEPS.harden);
  await ddl.down(STEPS.expand);
  await database.transaction(async (session) => {
    await session.query('DELETE FROM keylift.outcomes');
    await session.query('DELETE FROM keylift.overlaps');
    await session.query('DELETE FROM keylift.to_judge');
    await session.query(`DELETE FROM keylift.batches WHERE open`);
    await session.query(`UPDATE keylift.batches SET state = 'taken_back' WHERE state = 'done'`);
    await forgetSteering(session);
    await moveTo(session, { state: 'rolled_back', stage: null });
    await recordEvent(session, { kind: 'rolled_back', runId: run.runId, facts: { removed } });
  });
  return { rolled_back: true, accounts: null, removed, born_in_settings: await bornKeys(database, schema) };
}

/** Rows of other tables that were repointed for finalize: a cascade would take them along with the account keys. */
async function checkForeignKeys({ database, schema }: StageContext): Promise<void> {
  const pointing = await database.readOnly(async (session) => {
    const { present } = await session.one<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
      schema.legacy.target,
    ]);
    return present ? foreignKeysToTakeBack(session, schema) : [];
  });
  if (pointing.length === 0) return;
  throw keyliftError('foreign_keys_point_back', {
    message: 'rows of other tables reference account keys that the rollback would delete',
    facts: { foreign_keys: pointing.map((f) => `${f.table}: ${f.constraint}`), ddl: pointing.flatMap((f) => f.ddl) },
  });
}

async function emptyTarget(context: StageContext): Promise<number> {
  const { database, schema } = context;
  await catchUpAll(database, schema);
  const removed = await removeMoved(context);
  // The step that drops the triggers looks through the table once more under a lock: leave it little to read.
  await database.withSession((session) => session.query(`VACUUM ${schema.legacy.target}`)).catch(() => undefined);
  return removed;
}

/** Moved rows leave in pages by id; the mirror stays on until the last, so that no revocation falls between. */
async function removeMoved({ database, schema, progress }: StageContext): Promise<number> {
  return inPages(
    (after) =>
      underLoad(
        database,
        async (session) => {
          await session.query(`SET LOCAL keylift.writer = 'keylift'; ${BY_INDEX}`);
          return session.one<Page>(removePage(schema), [after, PAGE]);
        },
        { asynchronousCommit: true, onWait: progress.waiting },
      ),
    (removed) => {
      progress.note(`took ${String(removed)} account keys back`, removed);
    },
  );
}

const removePage = ({ legacy: l, types }: MappedSchema): string => `
  /* taking account keys out of the new table */
  WITH page AS MATERIALIZED (
    SELECT t.id FROM ${l.target} t WHERE ($1::${types.id} IS NULL OR t.id > $1::${types.id}) AND t.origin_api_id IS NOT NULL ORDER BY t.id LIMIT $2
  ), gone AS (
    DELETE FROM ${l.target} t WHERE t.id IN (SELECT page.id FROM page) RETURNING 1
  )
  SELECT (SELECT count(*) FROM gone)::int AS keys, (SELECT page.id::text FROM page ORDER BY page.id DESC LIMIT 1) AS last`;

/** Keys born in Settings, for the operator's list. Tokens are shown by fingerprint alone. */
export async function bornKeys(database: Database, { legacy: l, types }: MappedSchema): Promise<BornKey[]> {
  return database.readOnly(async (session) => {
    const { present } = await session.one<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
      l.target,
    ]);
    if (!present) return [];
    const { rows } = await session.query<BornKey>(
      `SELECT t.id::text AS key_id, t.account_id::text AS account_id, t.name, ${fingerprintOf('t.token', types)} AS fingerprint
       FROM ${l.target} t WHERE t.origin_api_id IS NULL ORDER BY t.id`,
    );
    return rows;
  });
}
