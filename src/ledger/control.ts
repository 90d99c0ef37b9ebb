import type { WriteSession } from '../database/session.js';
import { JOIN_RUN_AT_WORK } from './run-at-work.js';
import type { RunPace } from './runs.js';

/** What `pause`, `resume` and `tune` set; null: the command line of the run decides. */
export interface Control {
  paused: boolean;
  concurrency: number | null;
  /** Seconds. */
  batch_time: number | null;
  /** Seconds. */
  max_lag: number | null;
}

/** A change: the values before and after it, and the options of the run that leads; null: no run leads. */
export interface Steered {
  before: Control;
  after: Control;
  run: { pace: RunPace | null } | null;
}

/** The row is locked until the change is made, so that no other change comes between before and after. */
const BEFORE = 'SELECT paused, concurrency, batch_time, max_lag FROM keylift.control FOR UPDATE';

/** After a rollback the next migration starts without the settings of the old one. */
export async function forgetSteering(session: WriteSession): Promise<void> {
  await session.query(
    'UPDATE keylift.control SET paused = false, concurrency = NULL, batch_time = NULL, max_lag = NULL',
  );
}

const AT_WORK = `SELECT r.pace FROM keylift.control c ${JOIN_RUN_AT_WORK} WHERE r.run_id IS NOT NULL`;

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
