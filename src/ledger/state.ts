import { RefusedError } from '../errors.js';
import type { ReadSession, WriteSession } from '../database/session.js';

/** Stages in their order; `finalize` is never part of `migrate`. */
export const STAGES = ['expand', 'backfill', 'harden', 'verify', 'switch', 'finalize'] as const;
export type Stage = (typeof STAGES)[number];

export type MigrationState =
  'active' | 'rolling_back' | 'rolled_back' | 'finalizing' | 'finalized' | 'restoring' | 'purged';

/** The ledger's one row about the migration as a whole. */
export interface LedgerState {
  attempt: number;
  /** The last stage that was completed. */
  stage: Stage | null;
  state: MigrationState;
  settings: unknown;
  seconds: number;
}

/** Is stage `a` the same as `b` or behind it? No stage at all is before every other. */
export const reached = (a: Stage | null, b: Stage): boolean => a !== null && STAGES.indexOf(a) >= STAGES.indexOf(b);

/** The ledger's state, or null where keylift was never installed. Asks only what exists; writes nothing. */
export async function readState(session: ReadSession): Promise<LedgerState | null> {
  const { present } = await session.one<{ present: boolean }>(
    `SELECT to_regclass('keylift.migration') IS NOT NULL AS present`,
  );
  if (!present) return null;
  const row = await session.first<LedgerState>(
    'SELECT attempt, stage, state, settings, seconds FROM keylift.migration',
  );
  return row ?? null;
}

/** Like `readState`, for commands that need a migration to be there. @throws RefusedError `nothing_migrated` */
export async function requireState(session: ReadSession, purpose: string): Promise<LedgerState> {
  const state = await readState(session);
  if (state === null || state.state === 'rolled_back') {
    throw new RefusedError('nothing_migrated', `there is no migration to ${purpose}`, {
      hint: 'Run keylift migrate first.',
      anchor: 'nothing-migrated',
    });
  }
  return state;
}

/** Begins an attempt: the first, or the next after a rollback. The run is the attempt's from here on, whichever it was entered in. */
export async function beginAttempt(session: WriteSession, settings: unknown, runId: string): Promise<void> {
  await session.query(
    `INSERT INTO keylift.migration (attempt, settings) VALUES (1, $1)
     ON CONFLICT (singleton) DO UPDATE SET attempt = keylift.migration.attempt + 1, stage = NULL, state = 'active', searched = false,
       settings = excluded.settings, started_at = clock_timestamp(), changed_at = clock_timestamp(), seconds = 0
     WHERE keylift.migration.state = 'rolled_back'`,
    [JSON.stringify(settings)],
  );
  await session.query('UPDATE keylift.runs SET attempt = (SELECT attempt FROM keylift.migration) WHERE run_id = $1', [
    runId,
  ]);
}

export async function completeStage(session: WriteSession, stage: Stage, seconds: number): Promise<void> {
  await session.query(
    `UPDATE keylift.migration SET stage = $1, seconds = seconds + $2, changed_at = clock_timestamp()`,
    [stage, seconds],
  );
}

export async function setState(session: WriteSession, state: MigrationState, stage?: Stage | null): Promise<void> {
  await session.query(
    `UPDATE keylift.migration SET state = $1, stage = CASE WHEN $3 THEN $2 ELSE stage END, changed_at = clock_timestamp()`,
    [state, stage ?? null, stage !== undefined],
  );
}

/**
 * A migration goes on, and is taken back, with the configuration it was begun with: another one means other tables.
 *
 * @throws RefusedError `settings_changed`
 */
export function requireSettings(state: LedgerState, settings: unknown): void {
  if (sameSettings(state.settings, settings)) return;
  throw new RefusedError('settings_changed', 'the configuration is not the one this migration was begun with', {
    hint: 'Use that configuration, or take the migration back with it first: keylift rollback, then npx knex migrate:rollback --all.',
    anchor: 'settings-changed',
  });
}

/** PostgreSQL keeps JSON keys in an order of its own. */
function sameSettings(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([x], [y]) => (x < y ? -1 : 1))
            .map(([k, v]) => [k, sorted(v)]),
        )
      : value;
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}
