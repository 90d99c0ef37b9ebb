import type { StageContext } from '../../run/context.js';
import { copyAll, failedRanges } from './copy.js';
import { prepareRanges } from './ranges.js';

/**
 * Copies all keys, in batches, but those that are listed first: duplicates and keys without an account. Changes that a
 * batch does not see are in the change log, which harden applies.
 *
 * @throws `batches_failed` with the ranges that failed three times; all others are done.
 */
export async function backfill(context: StageContext): Promise<void> {
  await prepareRanges(context);
  const failed = await copyAll(context);
  if (failed.length > 0) throw failedRanges(failed);
}
