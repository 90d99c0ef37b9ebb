import type { LegacyFragments } from '../legacy/fragments.js';
import { verdicts, type HoldsSource } from '../legacy/rules.js';
import { bornTokens, takenInSettings } from './born.js';
import { dormant, DORMANT_SINCE } from './dormant.js';
import { MAX_EXCEPTIONS_LISTED } from './exceptions.js';

export interface TwinsOptions {
  holds: HoldsSource;
  /** Is there an index that finds a row by its token? Then the few twins are fetched by it. */
  tokenIndexed: boolean;
  /** The table with keys born in Settings, or null. */
  born: string | null;
}

/** What `countTwins` answers. Arrays are text as PostgreSQL writes them, handed back as they came. */
export interface CountedTwins {
  /** Keys by class: an outcome, an exception's reason, or `widened` for a living key that moves. */
  classes: Record<string, number>;
  dormant_keys: string;
  key_ids: string;
  widened_accounts: string;
  exceptions: { key_id: string; reason: string }[];
}

/**
 * The keys that share their token, also with a key born in Settings, judged with one another: counts by class, the
 * dormant ones, the accounts that are widened, exceptions, and the ids of all.
 */
export function countTwins(l: LegacyFragments, { holds, tokenIndexed, born }: TwinsOptions): string {
  const rows = `${l.hasToken} AND ${l.token} ${tokenIndexed ? '= ANY (ARRAY(SELECT token FROM repeated))' : 'IN (SELECT token FROM repeated)'}`;
  return `
    /* planning the keys with repeated tokens */
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey} GROUP BY ${l.token} HAVING count(*) > 1
      ${bornTokens(born)}
    ), together AS MATERIALIZED (
      SELECT key_id, account_id, ${dormant('last_used_at', `(SELECT ${DORMANT_SINCE})`)} AS dormant,
        CASE WHEN outcome = 'exception' THEN reason WHEN outcome = 'move' AND alive THEN 'widened' ELSE outcome END AS class
      FROM (${verdicts(l, { holds, rows, ...takenInSettings(born, l.token) })}) v
    )
    SELECT (SELECT coalesce(jsonb_object_agg(class, keys), '{}') FROM (SELECT class, count(*) AS keys FROM together GROUP BY class) c) AS classes,
      (SELECT count(*) FROM together WHERE class = 'widened' AND dormant) AS dormant_keys,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM together) AS key_ids,
      (SELECT coalesce(array_agg(DISTINCT account_id), '{}')::text FROM together WHERE class = 'widened') AS widened_accounts,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', class)), '[]') FROM (
        SELECT key_id, class FROM together WHERE class NOT IN ('move', 'widened', 'merge', 'hold', 'stay')
        ORDER BY key_id LIMIT ${String(MAX_EXCEPTIONS_LISTED)}) e) AS exceptions`;
}
