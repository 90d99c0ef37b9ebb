import type { LegacyFragments } from '../legacy/fragments.js';
import { heldByName, settledByItself, verdicts, type HoldsSource } from '../legacy/rules.js';

/** A living key not used for this long, or never, is dormant: widening it serves nobody. */
export const DORMANT_AFTER = '90 days';

/** Reasons of an exception, in the order the rules ask (rules 7 and 8). */
export const REASONS = ['missing_api', 'missing_account', 'missing_token', 'missing_created_at', 'shared_token', 'conflicting_status'] as const;

export interface PlanSqlOptions {
  holds: HoldsSource;
  /** Is there an index that finds a row by its token? Then the few twins are fetched by it. */
  tokenIndexed: boolean;
}

/**
 * Every per-API key with its class: its outcome, for an exception its reason, and `widened` for a living key that
 * moves. A token is judged with its twins only where it has any, so that the search for repeated tokens and one scan
 * joined to APIs and accounts are all this costs. The class is one expression, so that it is computed once a row.
 */
function classifiedKeys(l: LegacyFragments, { holds, tokenIndexed }: PlanSqlOptions): string {
  const rows = tokenIndexed ? `${l.token} = ANY (ARRAY(SELECT token FROM repeated))` : `${l.token} IN (SELECT token FROM repeated)`;
  return `
    repeated AS MATERIALIZED (
      SELECT ${l.token} AS token FROM ${l.keys} k
      WHERE ${l.isPerApiKey} GROUP BY ${l.token} HAVING count(*) > 1 AND ${l.hasToken}
    ), together AS MATERIALIZED (
      SELECT key_id, last_used_at, CASE WHEN outcome = 'exception' THEN reason WHEN outcome = 'move' AND alive THEN 'widened' ELSE outcome END AS class
      FROM (${verdicts(l, { holds, rows })}) v
    ), classified AS (
      SELECT ${l.id} AS key_id, ${l.account} AS account_id,
        coalesce(v.class, ${settledByItself(l)},
          CASE WHEN ${heldByName(l, holds)} THEN 'hold' WHEN ${l.alive} THEN 'widened' ELSE 'move' END) AS class,
        coalesce(CASE WHEN v.key_id IS NULL THEN ${l.lastUsedAt} ELSE v.last_used_at END < now() - interval '${DORMANT_AFTER}', true) AS dormant
      FROM ${l.from} LEFT JOIN together v ON v.key_id = ${l.id}
      WHERE ${l.isPerApiKey}
    )`;
}

/** One row: counts by class, what widening opens, and of the twins the first 10,000 that are exceptions. */
export function countOutcomes(l: LegacyFragments, options: PlanSqlOptions): string {
  return `
    WITH ${classifiedKeys(l, options)}, by_account AS MATERIALIZED (
      SELECT account_id, class, count(*) AS keys, count(*) FILTER (WHERE dormant) AS dormant
      FROM classified GROUP BY account_id, class
    )
    SELECT (SELECT coalesce(jsonb_object_agg(class, keys), '{}') FROM (SELECT class, sum(keys) AS keys FROM by_account GROUP BY class) c) AS classes,
      (SELECT count(*) FROM by_account WHERE class = 'widened') AS widened_accounts,
      (SELECT coalesce(sum(dormant), 0) FROM by_account WHERE class = 'widened') AS dormant_keys,
      (SELECT count(*) FROM ${l.apis} a WHERE ${l.inStore}) AS store_apis,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', class)), '[]') FROM (
        SELECT key_id, class FROM together WHERE class IN ('shared_token', 'conflicting_status') ORDER BY key_id LIMIT 10000) e) AS twins`;
}

/** All exceptions by key id, at most 10,000: those a row is by itself, and the twins found before, as JSON in $1. */
export function listExceptions(l: LegacyFragments, idType: string): string {
  return `
    SELECT e.key_id::text AS key_id, e.reason FROM (
      SELECT ${l.id} AS key_id, ${settledByItself(l)} AS reason FROM ${l.from} WHERE ${l.isPerApiKey}
      UNION ALL
      SELECT (twin ->> 'key_id')::${idType}, twin ->> 'reason' FROM jsonb_array_elements($1::jsonb) AS twin) e
    WHERE e.reason <> 'stay' ORDER BY e.key_id LIMIT 10000`;
}
