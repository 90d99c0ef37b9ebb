import { version } from '../../config/package-root.js';
import type { Settings } from '../../config/settings.js';
import type { ReadSession } from '../../database/session.js';
import { writeText } from '../../files/write.js';
import type { Holds } from '../../ledger/holds.js';
import { moment } from '../../ledger/moment.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { savedPlanOutput } from '../outputs.js';
import type { Plan } from '../plan.js';
import { readIdentity, type DatabaseIdentity } from './identity.js';
import { summaryOfHolds, type HoldsSummary } from './holds-summary.js';

/** The form of the file. A change that older releases cannot read has a new number. */
export const SAVED_PLAN_FORMAT = 1;

/** The counts that a saved plan keeps. */
export type ReviewedCounts = Pick<Plan, 'outcomes' | 'exceptions_by_reason' | 'widening' | 'total'>;

/** A plan and what it was made from: schemas/saved-plan.schema.json. It has no key ids, no names and no tokens. */
export interface SavedPlan {
  format: number;
  /** The release of keylift that judged the keys. */
  keylift: string;
  made_at: string;
  database: DatabaseIdentity;
  settings: Settings;
  holds: HoldsSummary;
  plan: ReviewedCounts;
}

/** The saved form of a plan, from the snapshot that the plan was made in. */
export async function savedPlanOf(
  session: ReadSession,
  schema: MappedSchema,
  { plan, holds }: { plan: Plan; holds: Holds },
): Promise<SavedPlan> {
  const { made_at: madeAt } = await session.one<{ made_at: string }>(`SELECT ${moment('now()')} AS made_at`);
  const { outcomes, exceptions_by_reason, widening, total } = plan;
  return {
    format: SAVED_PLAN_FORMAT,
    keylift: version(),
    made_at: madeAt,
    database: await readIdentity(session),
    settings: schema.settings,
    holds: await summaryOfHolds(session, schema, holds),
    plan: { outcomes, exceptions_by_reason, widening, total },
  };
}

/** Writes it, readable by its owner alone. @throws `saved_plan_unwritable` */
export const writeSavedPlan = (file: string, saved: SavedPlan): Promise<void> =>
  writeText(savedPlanOutput(file), `${JSON.stringify(saved, null, 2)}\n`);
