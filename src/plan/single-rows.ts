import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import { outcomeOfFacts } from '../mapping/rules/single-row.js';
import { heldByName, settledByItself, type HoldsSource } from '../mapping/rules/verdicts.js';
import { classOf, type Classes } from './classes.js';
import { dormant } from './dormant.js';
import { firstExceptions, type ExceptionKey } from './exceptions.js';

/** What `countSingleRows` answers. */
export interface SingleRows {
  classes: Classes;
  /** The first that have a reason of their own, by key id; a row with a repeated token has the same reason. */
  exceptions: ExceptionKey[];
}

/**
 * Counts all per-API keys by class, each as if no other row had its token. The answer needs no search for repeated
 * tokens, so a second session can ask for it meanwhile; `countDuplicates` says what to replace. The rows are grouped by
 * the facts that the rules look at: a few groups, of which each has one class.
 */
export const countSingleRows = (
  l: LegacyFragments,
  { holds, listed }: { holds: HoldsSource; listed: number },
): string => sql`
  /* planning each key as if no other one had its token */
  WITH by_facts AS MATERIALIZED (
    SELECT own_reason, held, alive, dormant, count(*) AS keys,
      array_agg(key_id) FILTER (WHERE own_reason <> 'stay') AS exceptions
    FROM (
      SELECT ${l.id()} AS key_id,
        ${settledByItself(l)} AS own_reason,
        ${heldByName(l, holds)} AS held,
        ${l.alive()} AS alive,
        ${dormant(l.lastUsedAt())} AS dormant
      FROM
        ${l.from}
      WHERE ${l.isPerApiKey()}
      OFFSET 0 -- keeps PostgreSQL from evaluating a fact once for each use
    ) single_row
    GROUP BY own_reason, held, alive, dormant
  )
  SELECT (
    SELECT coalesce(jsonb_object_agg(class, jsonb_build_object('keys', keys, 'dormant', dormant)), '{}')
    FROM (
      SELECT ${classOf(outcomeOfFacts({ ownReason: 'own_reason', held: 'held' }), 'alive')} AS class,
        sum(keys) AS keys, coalesce(sum(keys) FILTER (WHERE dormant), 0) AS dormant
      FROM by_facts
      GROUP BY 1
    ) by_class
  ) AS classes, (
    ${firstExceptions('(SELECT unnest(exceptions) AS key_id, own_reason AS reason FROM by_facts) listed', listed)}
  ) AS exceptions`;
