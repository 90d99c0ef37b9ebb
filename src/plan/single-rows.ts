import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { outcomeOfSingleRow } from '../mapping/rules/single-row.js';
import type { HoldsSource } from '../mapping/rules/verdicts.js';
import { classOf, type Classes } from './classes.js';
import { dormant } from './dormant.js';
import { firstExceptions, listOf, OWN_REASONS, type ExceptionKey } from './exceptions.js';

/** What `countSingleRows` answers. */
export interface SingleRows {
  classes: Classes;
  /** The first that have a reason of their own, by key id; a row with a repeated token has the same reason. */
  exceptions: ExceptionKey[];
}

/**
 * Counts all per-API keys by class, each as if no other row had its token. The answer needs no search for repeated
 * tokens, so a second session can ask for it meanwhile; `countDuplicates` says what to replace.
 */
export const countSingleRows = (
  l: LegacyFragments,
  { holds, listed }: { holds: HoldsSource; listed: number },
): string => sql`
  /* planning each key as if no other one had its token */
  WITH by_class AS MATERIALIZED (
    SELECT class, count(*) AS keys, count(*) FILTER (WHERE dormant) AS dormant,
      array_agg(key_id) FILTER (WHERE class IN ${listOf(OWN_REASONS)}) AS exceptions
    FROM (
      SELECT key_id, dormant,
        ${classOf('outcome', 'alive')} AS class
      FROM (
        SELECT ${l.id()} AS key_id, ${l.alive()} AS alive,
          ${dormant(l.lastUsedAt())} AS dormant,
          ${outcomeOfSingleRow(l, { holds })} AS outcome
        FROM
          ${l.from}
        WHERE ${l.isPerApiKey()}
        OFFSET 0 -- keeps PostgreSQL from evaluating the outcome once for each use
      ) single_row
    ) classified
    GROUP BY class
  )
  SELECT (
    SELECT coalesce(jsonb_object_agg(class, jsonb_build_object('keys', keys, 'dormant', dormant)), '{}')
    FROM by_class
  ) AS classes, (
    ${firstExceptions('(SELECT unnest(exceptions) AS key_id, class AS reason FROM by_class) listed', listed)}
  ) AS exceptions`;
