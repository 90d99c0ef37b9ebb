import { openSameSnapshot } from '../database/same-snapshot.js';
import type { ReadSession } from '../database/session.js';
import { holdsOfLedger, type Holds } from '../ledger/holds.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import type { PlannedPace } from '../plan/expected-time.js';
import { readHolds } from '../plan/holds.js';
import { planMove, type Plan } from '../plan/plan.js';
import { DEFAULT_PACE } from '../run/context.js';
import type { Opened } from './opened.js';

export interface PlanRequest {
  /** A holds file; without one, the holds that the ledger has. */
  holds: string | undefined;
  pace: PlannedPace;
  /** Exceptions to list at most; by default as many as a plan lists. */
  listed?: number;
}

/** A plan, what it was made from, and the session with its snapshot. */
export interface Planned {
  plan: Plan;
  holds: Holds;
  installed: Installed;
  session: ReadSession;
}

/** Makes a plan. `fn` works in the snapshot of the plan, so that what it writes agrees with the counts. */
export function withPlan<T>(
  { database, schema }: Opened,
  { holds: file, pace, listed }: PlanRequest,
  fn: (planned: Planned) => Promise<T>,
): Promise<T> {
  return database.readOnly(
    async (session) => {
      const installed = await readInstalled(session, schema.settings, { visibleOnly: true });
      const holds =
        file === undefined ? await holdsOfLedger(session, installed) : await readHolds(session, file, schema);
      const plan = await planMove(session, schema, {
        holds,
        installed,
        pace,
        ...(listed !== undefined && { listed }),
        inSameSnapshot: await openSameSnapshot(database, session),
      });
      return fn({ plan, holds, installed, session });
    },
    { isolation: 'repeatable read' },
  );
}

/** How fast a run copies. */
export interface PaceOptions {
  /** Batches at once, 1 to 64. */
  concurrency?: number | undefined;
  /** Rows in a batch at most. */
  batchSize?: number | undefined;
  /** How long a batch should take, in seconds. */
  batchTime?: number | undefined;
}

/** The pace of the options, else keylift's own. */
export const paceOf = ({ concurrency, batchSize, batchTime }: PaceOptions): PlannedPace => ({
  concurrency: concurrency ?? DEFAULT_PACE.concurrency,
  batchSize: batchSize ?? DEFAULT_PACE.batchSize,
  batchSeconds: batchTime ?? DEFAULT_PACE.batchSeconds,
});
