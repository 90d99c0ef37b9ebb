import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import { settledByItself, type HoldsSource } from '../mapping/rules/verdicts.js';
import { classIfAlone } from './alone.js';
import { keysByClass, type Classes } from './classes.js';
import { dormant } from './dormant.js';

export interface OrphansOptions {
  /** Null: nobody holds anything. */
  holds: HoldsSource | null;
  /** SQL of the moment before which a last use makes a key dormant. */
  dormantSince: string;
  /** Condition over `k`: keys whose account is not there. */
  absent: string;
  /** Ids of exceptions to name at most. */
  listed: number;
}

/** What `countOrphans` answers. */
export interface CountedOrphans {
  /** Keys by the class that `countAlone` counted them in, and the dormant among its widened ones. */
  as_if_alone: Classes;
  dormant: string;
  /** Keys by the class that they are in, and the first ids of exceptions as an array in text. */
  classes: Classes;
  exceptions: string;
}

/**
 * Condition over `k`: keys whose account is not there. `named` is an SQL array of these accounts, or null when they are
 * too many to be named.
 */
export const accountAbsent = (
  l: LegacyFragments,
  { named, nobodys }: { named: string | null; nobodys: boolean },
): string =>
  named === null
    ? `NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = ${l.account()})`
    : `(${l.account()} = ANY (${named})${nobodys ? ` OR ${l.account()} IS NULL` : ''})`;

/** Keys without an account, twins or not: what `countAlone` took them for, and what is to be counted instead. */
export function countOrphans(l: LegacyFragments, { holds, dormantSince, absent, listed }: OrphansOptions): string {
  return `
    /* planning the keys whose account is missing */
    WITH orphan AS MATERIALIZED (
      SELECT ${l.id()} AS key_id, ${classIfAlone(l, holds)} AS as_if_alone, ${settledByItself(l, 'true')} AS class, ${dormant(l.lastUsedAt(), dormantSince)} AS dormant
      FROM ${withApi(l)}
      WHERE ${l.isPerApiKey()} AND ${absent}
    )
    SELECT ${keysByClass('as_if_alone', 'orphan')} AS as_if_alone, ${keysByClass('class', 'orphan')} AS classes,
      (SELECT count(*) FROM orphan WHERE as_if_alone = 'widened' AND dormant) AS dormant,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM (
        SELECT key_id FROM orphan WHERE class <> 'stay' ORDER BY key_id LIMIT ${String(listed)}) first) AS exceptions`;
}
