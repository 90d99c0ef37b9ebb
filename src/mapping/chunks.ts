import { sql } from '../database/sql.js';
import type { LegacyFragments } from './fragments.js';

/** Ids of a chunk, as text: above the first, up to the second, open where it is null. */
export type Chunk = [after: string | null, upto: string | null];

/** $1 < id <= $2, either of them open where it is null. */
export const rowsInRange = (id: string, type: string): string =>
  `($1::${type} IS NULL OR ${id} > $1::${type}) AND ($2::${type} IS NULL OR ${id} <= $2::${type})`;

/** The upper end of the next chunk: the $2nd id after $1, or null for the last chunk, which is open-ended. */
export const chunkEnd = (l: LegacyFragments, idType: string): string => sql`
  SELECT (
    SELECT ${l.id()}::text
    FROM ${l.keys} k
    WHERE $1::${idType} IS NULL OR ${l.id()} > $1::${idType}
    ORDER BY ${l.id()}
    OFFSET $2::bigint - 1 LIMIT 1
  ) AS upto`;

/** Chunks that end at these ids; the first and the last are open, so that they hold what is made meanwhile. */
export const chunksBetween = (ends: readonly string[]): Chunk[] =>
  [...ends, null].map((upto, at) => [at === 0 ? null : ends[at - 1]!, upto]);
