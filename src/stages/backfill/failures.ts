import type { Database } from '../../database/connect.js';
import { isWorthRetrying, POLICIES } from '../../database/retry.js';
import { isTimeout, sqlStateOf } from '../../database/sqlstate.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import type { ClaimedRange } from '../../run/events.js';
import { NOTE_FAILURE, splitRange } from './range-statements.js';

/** A range that failed this often is left for another run. */
export const MAX_TRIES = POLICIES.range.tries;

/** What follows from the failure of a batch. */
export type Consequence = 'smaller' | 'again' | 'reconnect' | 'give_up';

/** After a timeout the next try takes less; after a collision it is the same; after a lost connection it takes a new one. */
export function consequenceOf(error: unknown): Consequence {
  if (isWorthRetrying('range', error)) return 'smaller';
  if (isWorthRetrying('batch', error)) return 'again';
  if (isWorthRetrying('connection', error)) return 'reconnect';
  return 'give_up';
}

/**
 * Records a failed try. A range that was alone in its batch is cut in two after a timeout, and marked as failed after
 * its last try. Ranges that failed together are tried again in smaller batches.
 *
 * @returns the range, if this run gives it up.
 */
export async function noteFailure(
  database: Database,
  schema: MappedSchema,
  { ranges, error }: { ranges: readonly ClaimedRange[]; error: unknown },
): Promise<ClaimedRange | undefined> {
  // The lock of another session is no fault of the range.
  if (ranges.length !== 1 || isWorthRetrying('batch', error)) return undefined;
  const [range] = ranges;
  const tries = range!.tries + 1;
  const noted = await database.transaction(
    async (session) => {
      const { rowCount } = await session.query(NOTE_FAILURE, [
        range!.batch_no,
        tries,
        sqlStateOf(error) ?? null,
        MAX_TRIES,
      ]);
      if (isTimeout(error) && tries < MAX_TRIES) await session.query(splitRange(schema.legacy), [range!.batch_no]);
      return rowCount === 1;
    },
    { name: 'backfill: record a failed range' },
  );
  // Another batch may have claimed the range meanwhile, and given it up.
  return noted && tries >= MAX_TRIES ? { ...range!, tries } : undefined;
}
