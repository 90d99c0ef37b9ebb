import { sql } from '../database/sql.js';
import { chunkEnd, rowsInRange } from '../mapping/chunks.js';
import { ON_PLATFORM_PATH } from '../mirror/platform-path.js';
import type { LegacyFragments } from '../mapping/fragments.js';

/** The upper end of the next page: $1 after, $2 rows, $3 end of the chunk. Null for the last page, which ends there. */
export const syncPageEnd = (l: LegacyFragments, idType: string): string => sql`
  SELECT CASE WHEN $3::${idType} IS NULL OR page.upto::${idType} < $3::${idType} THEN page.upto END AS upto
  FROM (
    ${chunkEnd(l, idType)}
  ) page`;

const isLater = (a: string, b: string): string => `${a} IS NOT NULL AND (${b} IS NULL OR ${b} < ${a})`;

/** Account keys take the latest use of the rows that they answer for; merged rows may be in other ranges. */
export const syncAccountKeys = (l: LegacyFragments, idType: string): string => sql`
  UPDATE ${l.target} t
  SET last_used_at = s.last_used_at
  FROM (
    SELECT id, max(last_used_at) AS last_used_at
    FROM (
      SELECT ${l.id()} AS id, ${l.lastUsedAt()} AS last_used_at
      FROM ${l.keys} k
      WHERE ${rowsInRange(l.id(), idType)}
      UNION ALL
      SELECT x.account_key_id, ${l.lastUsedAt()}
      FROM keylift.outcomes x
        JOIN ${l.keys} k ON ${l.id()} = x.key_id
      WHERE x.outcome = 'merge'
        AND (
          ${rowsInRange('x.account_key_id', idType)}
          OR ${rowsInRange('x.key_id', idType)}
        )
    ) rows
    GROUP BY id
  ) s
  WHERE t.id = s.id AND t.origin_api_id IS NOT NULL
    AND ${isLater('s.last_used_at', 't.last_used_at')}
    AND ${ON_PLATFORM_PATH}`;

/** Then the legacy rows, where an account key was used later than any row that it answers for. */
export const syncPerApiKeys = (l: LegacyFragments, idType: string): string | null =>
  l.writable.lastUsedAt === null
    ? null
    : sql`
        UPDATE ${l.keys} k
        SET ${l.writable.lastUsedAt} = t.last_used_at
        FROM ${l.target} t
        WHERE ${rowsInRange(l.id(), idType)}
          AND t.id = ${l.id()} AND t.origin_api_id IS NOT NULL
          AND ${isLater('t.last_used_at', l.lastUsedAt())}
          AND NOT ${isUseOfMerged(l)}
          AND ${ON_PLATFORM_PATH}`;

/** The account key's last use is that of a row merged into it; no other row needs it. */
const isUseOfMerged = (l: LegacyFragments): string => sql`
  EXISTS (
    SELECT
    FROM keylift.outcomes x
      JOIN ${l.keys} k ON ${l.id()} = x.key_id
    WHERE x.outcome = 'merge' AND x.account_key_id = t.id AND ${l.lastUsedAt()} >= t.last_used_at
  )`;

/**
 * Is there anything to synchronise in the range? Both tables are read in parallel, which takes a small part of the time
 * of the UPDATEs, which go key by key, where there is nothing.
 */
export function findLag(l: LegacyFragments, idType: string): string {
  const ahead =
    l.writable.lastUsedAt === null
      ? ''
      : sql`
          OR ${isLater('t.last_used_at', l.lastUsedAt())}
            AND NOT ${isUseOfMerged(l)}`;
  return sql`
    /* looking for last use that differs */
    SELECT EXISTS (
      SELECT
      FROM ${l.target} t
        JOIN ${l.keys} k ON ${l.id()} = t.id
      WHERE ${rowsInRange('t.id', idType)}
        AND t.origin_api_id IS NOT NULL
        AND ${rowsInRange(l.id(), idType)}
        AND (
          ${isLater(l.lastUsedAt(), 't.last_used_at')}
          ${ahead}
        )
    ) OR EXISTS (
      SELECT
      FROM keylift.outcomes x
        JOIN ${l.keys} k ON ${l.id()} = x.key_id
        JOIN ${l.target} t ON t.id = x.account_key_id
      WHERE x.outcome = 'merge'
        AND (
          ${rowsInRange('x.account_key_id', idType)}
          OR ${rowsInRange('x.key_id', idType)}
        )
        AND t.origin_api_id IS NOT NULL
        AND ${isLater(l.lastUsedAt(), 't.last_used_at')}
    ) AS found`;
}
