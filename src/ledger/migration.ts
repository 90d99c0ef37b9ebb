import { keyliftError } from '../errors/keylift-error.js';
import type { ReadSession, WriteSession } from '../database/session.js';
import { requireAllowed } from './allowed.js';
import { requireTransition, type Position } from './states.js';

/** The ledger's one row about the migration as a whole. */
export interface LedgerState extends Position {
  readonly attempt: number;
  readonly settings: unknown;
  readonly seconds: number;
}

/** What the ledger says; null where no migration has begun. The ledger must exist: `readInstalled` asks first. */
export async function readState(session: ReadSession): Promise<LedgerState | null> {
  const row = await session.first<LedgerState>(
    'SELECT attempt, stage, state, settings, seconds FROM keylift.migration',
  );
  return row ?? null;
}

/**
 * Continues the attempt, or begins one: the first, or the next after a rollback. From here on the run belongs to this
 * attempt, whichever attempt it was recorded in.
 *
 * @throws the refusal where `migrate` is not allowed, or `settings_changed`.
 */
export async function beginAttempt(session: WriteSession, settings: unknown, runId: string): Promise<LedgerState> {
  const before = await readState(session);
  requireAllowed('migrate', before);
  if (before === null || before.state === 'rolled_back') {
    requireTransition(before, { state: 'active', stage: null });
    await session.query(BEGIN, [JSON.stringify(settings)]);
  } else requireSettings(before, settings);
  await session.query('UPDATE keylift.runs SET attempt = (SELECT attempt FROM keylift.migration) WHERE run_id = $1', [
    runId,
  ]);
  return (await readState(session))!;
}

const BEGIN = `
  INSERT INTO keylift.migration (attempt, settings) VALUES (1, $1)
  ON CONFLICT (singleton) DO UPDATE SET attempt = keylift.migration.attempt + 1, stage = NULL, state = 'active',
    searched = false, settings = excluded.settings, started_at = clock_timestamp(), changed_at = clock_timestamp(),
    seconds = 0`;

/**
 * Moves the migration to another position: `state`, `stage`, or both. `seconds` is added to its duration.
 *
 * @throws `illegal_transition` where the table of transitions does not allow it.
 */
export async function moveTo(
  session: WriteSession,
  change: Partial<Position>,
  { seconds = 0 }: { seconds?: number } = {},
): Promise<void> {
  const from = await session.one<Position>('SELECT state, stage FROM keylift.migration FOR UPDATE');
  const to = { ...from, ...change };
  requireTransition(from, to);
  await session.query(
    'UPDATE keylift.migration SET state = $1, stage = $2, seconds = seconds + $3, changed_at = clock_timestamp()',
    [to.state, to.stage, seconds],
  );
}

/**
 * A migration continues, and is rolled back, with the configuration that it began with: another configuration names
 * other tables.
 *
 * @throws `settings_changed`
 */
export function requireSettings(state: LedgerState, settings: unknown): void {
  if (sameSettings(state.settings, settings)) return;
  throw keyliftError('settings_changed', {
    message: 'the configuration is not the one that this migration began with',
  });
}

/** PostgreSQL keeps JSON keys in an order of its own. The operator may give consent to a gate at any time. */
function sameSettings(a: unknown, b: unknown): boolean {
  const sorted = (value: unknown): unknown =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .sort(([x], [y]) => (x < y ? -1 : 1))
            .map(([k, v]) => [k, k === CONSENT ? undefined : sorted(v)]),
        )
      : value;
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

/** `legacy.apis.shared`: it changes no statement. */
const CONSENT = 'shared';
