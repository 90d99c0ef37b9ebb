import type { WriteSession } from '../database/session.js';
import type { RunPace } from './runs.js';

/** What steers a run from another terminal; null leaves the choice to the run's own command line. */
export interface Control {
  paused: boolean;
  concurrency: number | null;
  /** Seconds. */
  batch_time: number | null;
  /** Seconds. */
  max_lag: number | null;
}

/** A change of the steering: what held, what holds now, and what the run at work asked for itself; null: none is. */
export interface Steered {
  before: Control;
  after: Control;
  run: { pace: RunPace | null } | null;
}

/** The row is held until the change is made, so that no other change comes in between from and to. */
const BEFORE = 'SELECT paused, concurrency, batch_time, max_lag FROM keylift.control FOR UPDATE';

/** A migration that begins afresh is not held up, or slowed down, by what was said to one that was taken back. */
export async function forgetSteering(session: WriteSession): Promise<void> {
  await session.query(
    'UPDATE keylift.control SET paused = false, concurrency = NULL, batch_time = NULL, max_lag = NULL',
  );
}

const AT_WORK = `
  SELECT r.pace FROM keylift.control c JOIN keylift.runs r ON r.run_id = c.owner AND c.owned_until > clock_timestamp()`;

/**
 * Changes what is given. A run looks before each batch.
 */
export async function steer(session: WriteSession, change: Partial<Control>): Promise<Steered> {
  const before = await session.one<Control>(BEFORE);
  const names = Object.keys(change) as (keyof Control)[];
  const assignments = names.map((name, at) => `${name} = $${String(at + 1)}`).join(', ');
  const after = await session.one<Control>(
    `UPDATE keylift.control SET ${assignments} RETURNING paused, concurrency, batch_time, max_lag`,
    names.map((name) => change[name]),
  );
  return { before, after, run: (await session.first<{ pace: RunPace | null }>(AT_WORK)) ?? null };
}
