import { savedPlanOf } from '../plan/saved/document.js';
import { readSavedPlan } from '../plan/saved/read.js';
import { DEFAULT_TOLERANCE, requireReviewed, type Tolerance } from '../plan/saved/require.js';
import type { OperationContext } from './context.js';
import type { Opened } from './opened.js';
import { withPlan, type PlanRequest } from './planned.js';

export interface Reviewed extends Omit<PlanRequest, 'listed'> {
  /** The file of `plan --out`. */
  file: string;
  tolerance: Tolerance | undefined;
}

/**
 * Compares a saved plan with a fresh one, and emits the drift that the tolerance allows.
 *
 * @throws what `readSavedPlan` and `requireReviewed` throw
 */
export async function requireReviewedPlan(
  { emit }: Pick<OperationContext, 'emit'>,
  opened: Opened,
  { file, tolerance = DEFAULT_TOLERANCE, ...request }: Reviewed,
): Promise<void> {
  const saved = await readSavedPlan(file);
  const drift = await withPlan(opened, { ...request, listed: 0 }, async ({ session, ...planned }) =>
    requireReviewed(saved, await savedPlanOf(session, opened.schema, planned), tolerance),
  );
  emit({ kind: 'reviewed', drift, madeAt: saved.made_at, tolerance: tolerance.text });
}
