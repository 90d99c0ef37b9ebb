import type { ReadSession } from '../database/session.js';

/** Where the batches of this attempt have counted $1 keys more. */
const COUNTED_ENDS = `
  SELECT upto_id::text AS upto FROM (
    SELECT upto_id, sum(rows) OVER (ORDER BY upto_id) / $1::bigint AS after_it, (sum(rows) OVER (ORDER BY upto_id) - rows) / $1::bigint AS before_it
    FROM keylift.batches WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)) line
  WHERE floor(after_it) > floor(before_it) ORDER BY upto_id`;

/**
 * Ids, as text, that cut the keys which batches have copied into chunks of about so many: where the ledger has counted
 * them once, the keys need not be counted again. Empty before a backfill.
 */
export async function countedEnds(session: ReadSession, keys: number): Promise<string[]> {
  const { rows } = await session.query<{ upto: string }>(COUNTED_ENDS, [keys]);
  return rows.map(({ upto }) => upto);
}
