import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import { verdicts, type HoldsSource } from '../mapping/rules/verdicts.js';
import { widenedIfAlone } from './alone.js';
import { bornTokens, takenInSettings } from './born.js';
import { keysByClass, type Classes } from './classes.js';
import { dormant, DORMANT_SINCE } from './dormant.js';

export interface TwinsOptions {
  holds: HoldsSource;
  /** Is there an index that finds a row by its token? Then the few twins are fetched by it. */
  tokenIndexed: boolean;
  /** The table with keys born in Settings, or null. */
  born: string | null;
  /** Exceptions to name at most. */
  listed: number;
}

/**
 * What `countTwins` answers: what the twins are, and what `countAlone` takes them for, who knows of no twins and may look
 * at the same time. Counts are decimal text.
 */
export interface CountedTwins {
  classes: Classes;
  dormant_keys: string;
  exceptions: { key_id: string; reason: string }[];
  /** Those whose account is there, by the class each would be in were it alone, and the dormant among the widened ones. */
  as_if_alone: Classes;
  dormant_as_if_alone: string;
  /** The others: to `countOrphans` they are keys without an account, as they are here. */
  orphans: string;
  /** Accounts with a key that would be widened were it alone, and with none that is. */
  unwidened: string;
}

/**
 * The keys that share their token, also with a key born in Settings, judged with one another: counts by class, the
 * dormant ones and exceptions; and what they are to whoever takes each of them for the only one with its token.
 */
export function countTwins(l: LegacyFragments, { holds, tokenIndexed, born, listed }: TwinsOptions): string {
  const rows = `${l.hasToken()} AND ${l.token()} ${tokenIndexed ? '= ANY (ARRAY(SELECT token FROM repeated))' : 'IN (SELECT token FROM repeated)'}`;
  const further = ['settled', 'named_by_hold', 'last_used_at AS own_last_used_at'];
  const since = `(SELECT ${DORMANT_SINCE})`;
  return `
    /* planning the keys with repeated tokens */
    WITH repeated AS MATERIALIZED (
      SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1
      ${bornTokens(born)}
    ), together AS MATERIALIZED (
      SELECT key_id, account_id, ${dormant('last_used_at', since)} AS dormant, ${dormant('own_last_used_at', since)} AS dormant_as_if_alone,
        CASE WHEN outcome = 'exception' THEN reason WHEN outcome = 'move' AND alive THEN 'widened' ELSE outcome END AS class,
        CASE WHEN settled = 'missing_account' THEN NULL WHEN settled IS NOT NULL THEN settled
          WHEN named_by_hold THEN 'hold' WHEN alive THEN 'widened' ELSE 'move' END AS as_if_alone
      FROM (${verdicts(l, { holds, rows, further, ...takenInSettings(born, l.token()) })}) v
    ), doubtful AS MATERIALIZED (
      SELECT DISTINCT account_id FROM together
      WHERE as_if_alone = 'widened' AND account_id NOT IN (SELECT account_id FROM together WHERE class = 'widened')
    )
    SELECT ${keysByClass('class', 'together')} AS classes,
      (SELECT count(*) FROM together WHERE class = 'widened' AND dormant) AS dormant_keys,
      (SELECT coalesce(jsonb_agg(jsonb_build_object('key_id', key_id::text, 'reason', class)), '[]') FROM (
        SELECT key_id, class FROM together WHERE class NOT IN ('move', 'widened', 'merge', 'hold', 'stay')
        ORDER BY key_id LIMIT ${String(listed)}) e) AS exceptions,
      ${keysByClass('as_if_alone', 'together WHERE as_if_alone IS NOT NULL')} AS as_if_alone,
      (SELECT count(*) FROM together WHERE as_if_alone = 'widened' AND dormant_as_if_alone) AS dormant_as_if_alone,
      (SELECT count(*) FROM together WHERE as_if_alone IS NULL) AS orphans,
      (SELECT count(*) FROM doubtful d WHERE NOT EXISTS (
        SELECT FROM ${withApi(l)} WHERE ${l.account()} = d.account_id AND ${l.isPerApiKey()} AND ${widenedIfAlone(l, holds)}
          AND ${l.id()} NOT IN (SELECT key_id FROM together))) AS unwidened`;
}
