import { maskWebUrl } from '../config/redact.js';
import type { ReadSession, WriteSession } from '../database/session.js';
import { JOIN_RUN_AT_WORK } from './run-at-work.js';
import type { RunPace } from './runs.js';

/** What `pause`, `resume` and `tune` set; null: the command line of the run decides. */
export interface Control {
  paused: boolean;
  concurrency: number | null;
  /** Seconds. */
  batch_time: number | null;
  batch_size: number | null;
  /** Seconds. */
  max_lag: number | null;
  max_active: number | null;
  throttle_query: string | null;
  /** As the run needs it; it may hold a secret. */
  throttle_url: string | null;
  /** Seconds. */
  max_latency: number | null;
}

/** In place of a limit that the operator has lifted. */
export const LIFTED = { number: Infinity, text: 'none' } as const;

/** Values as they are shown and recorded: `none` for a lifted limit, and of a URL the host alone. */
export const shownControl = (values: Partial<Control>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, shownValue(name, value)]));

function shownValue(name: string, value: unknown): unknown {
  if (value === LIFTED.number) return LIFTED.text;
  return name === 'throttle_url' && typeof value === 'string' && value !== LIFTED.text ? maskWebUrl(value) : value;
}

const COLUMNS =
  'paused, concurrency, batch_time, batch_size, max_lag, max_active, throttle_query, throttle_url, max_latency';

/** The values of now, for a run. */
export const readControl = (session: ReadSession): Promise<Control> =>
  session.one<Control>(`SELECT ${COLUMNS} FROM keylift.control`);

/** A change: the values before and after it, and the options of the run that leads; null: no run leads. */
export interface Steered {
  before: Control;
  after: Control;
  run: { pace: RunPace | null } | null;
}

/** The row is locked until the change is made, so that no other change comes between before and after. */
const BEFORE = `SELECT ${COLUMNS} FROM keylift.control FOR UPDATE`;

/** After a rollback the next migration starts without the settings of the old one. */
export async function forgetSteering(session: WriteSession): Promise<void> {
  await session.query(
    `UPDATE keylift.control SET paused = false, concurrency = NULL, batch_time = NULL, batch_size = NULL,
       max_lag = NULL, max_active = NULL, throttle_query = NULL, throttle_url = NULL, max_latency = NULL`,
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
    `UPDATE keylift.control SET ${assignments} RETURNING ${COLUMNS}`,
    names.map((name) => change[name]),
  );
  return { before, after, run: (await session.first<{ pace: RunPace | null }>(AT_WORK)) ?? null };
}
