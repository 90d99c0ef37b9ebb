import type { WriteSession } from '../database/session.js';
import { requireState } from './state.js';

/** What steers a run from another terminal; null leaves the choice to the run's own command line. */
export interface Control {
  paused: boolean;
  concurrency: number | null;
  /** Seconds. */
  batch_time: number | null;
  /** Seconds. */
  max_lag: number | null;
}

/**
 * Changes what is given and answers with what holds now. A run looks before each batch.
 *
 * @throws RefusedError `nothing_migrated` where there is nothing to steer.
 */
export async function steer(session: WriteSession, change: Partial<Control>): Promise<Control> {
  await requireState(session, 'steer');
  const names = Object.keys(change) as (keyof Control)[];
  const assignments = names.map((name, at) => `${name} = $${String(at + 1)}`).join(', ');
  return session.one<Control>(
    `UPDATE keylift.control SET ${assignments} RETURNING paused, concurrency, batch_time, max_lag`,
    names.map((name) => change[name]),
  );
}
