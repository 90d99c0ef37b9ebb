import type { Database } from '../database/connect.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { chunkEnd, chunksBetween, type Chunk } from '../mapping/chunks.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Where the batches of this attempt have counted $1 keys more. */
export const COUNTED_ENDS = sql`
  SELECT upto_id::text AS upto
  FROM (
    SELECT upto_id,
      sum(rows) OVER (ORDER BY upto_id) / $1::bigint AS after_it,
      (sum(rows) OVER (ORDER BY upto_id) - rows) / $1::bigint AS before_it
    FROM keylift.batches
    WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
  ) line
  WHERE floor(after_it) > floor(before_it)
  ORDER BY upto_id`;

/**
 * Ids, as text, that cut the keys which batches have copied into chunks of about so many: where the ledger has counted
 * them once, the keys need not be counted again. Empty before a backfill.
 */
export async function countedEnds(session: ReadSession, keys: number): Promise<string[]> {
  const { rows } = await session.query<{ upto: string }>(COUNTED_ENDS, [keys]);
  return rows.map(({ upto }) => upto);
}

/**
 * Cuts the ids into chunks of about so many keys; the last one is open-ended, so that it holds what is made meanwhile.
 * Only what lies above all batches is counted.
 */
export async function cutIntoChunks(
  database: Database,
  { legacy, types }: MappedSchema,
  keys: number,
): Promise<Chunk[]> {
  const ends = await database.readOnly((s) => countedEnds(s, keys));
  for (;;) {
    const { upto } = await database.readOnly((s) =>
      s.one<{ upto: string | null }>(chunkEnd(legacy, types.id), [ends.at(-1) ?? null, keys]),
    );
    if (upto === null) return chunksBetween(ends);
    ends.push(upto);
  }
}
