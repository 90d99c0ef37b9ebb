import { withApi, type LegacyFragments } from '../legacy/fragments.js';
import { settledByItself, type HoldsSource } from '../legacy/rules.js';
import { classIfAlone } from './alone.js';
import { dormant } from './dormant.js';
import { MAX_EXCEPTIONS_LISTED } from './exceptions.js';

/**
 * Condition over `k`: keys whose account is not there. `named` is an SQL array of these accounts, or null when they are
 * too many to be named.
 */
export const accountAbsent = (l: LegacyFragments, { named, nobodys }: { named: string | null; nobodys: boolean }): string =>
  named === null
    ? `NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId} = ${l.account})`
    : `(${l.account} = ANY (${named})${nobodys ? ` OR ${l.account} IS NULL` : ''})`;

export interface CloserOptions {
  /** Null: nobody holds anything. */
  holds: HoldsSource | null;
  /** SQL of the moment before which a last use makes a key dormant. */
  dormantSince: string;
  /** SQL arrays: the twins' ids, and the accounts that twins do widen. */
  twins: string;
  widenedAccounts: string;
  /** Condition over `k`: keys whose account is not there. */
  absent: string;
}

/** What `lookCloser` answers. */
export interface CountedCloser {
  /** Keys by the class that `countAlone` counted them in, and the dormant among its widened ones. */
  as_if_alone: Record<string, number>;
  dormant: string;
  /** Those that are no twins, whose account's absence decides: keys by class, and the first ids of exceptions as an array in text. */
  orphans: Record<string, number>;
  exceptions: string;
  /** Accounts with a key that would be widened were it alone, and with none that is. */
  unwidened: string;
}

/** Twins and keys without an account: what `countAlone` took them for, and what is to be counted instead. */
export function lookCloser(l: LegacyFragments, { holds, dormantSince, twins, widenedAccounts, absent }: CloserOptions): string {
  const asIfAlone = classIfAlone(l, holds);
  return `
    /* planning the keys that are not alone, or whose account is missing */
    WITH closer AS MATERIALIZED (
      SELECT ${l.id} AS key_id, ${l.account} AS account_id, ${asIfAlone} AS as_if_alone, ${settledByItself(l, 'true')} AS as_orphan,
        ${dormant(l.lastUsedAt, dormantSince)} AS dormant, ${l.id} IN (SELECT unnest(${twins})) AS twin, (${absent}) IS TRUE AS orphan
      FROM ${withApi(l)}
      WHERE ${l.isPerApiKey} AND (${l.id} = ANY (${twins}) OR ${absent})
    ), doubtful AS MATERIALIZED (
      SELECT DISTINCT account_id FROM closer
      WHERE twin AND NOT orphan AND as_if_alone = 'widened' AND NOT (account_id IN (SELECT unnest(${widenedAccounts})))
    )
    SELECT (SELECT coalesce(jsonb_object_agg(as_if_alone, keys), '{}') FROM (
        SELECT as_if_alone, count(*) AS keys FROM closer GROUP BY as_if_alone) c) AS as_if_alone,
      (SELECT count(*) FROM closer WHERE as_if_alone = 'widened' AND dormant) AS dormant,
      (SELECT coalesce(jsonb_object_agg(as_orphan, keys), '{}') FROM (
        SELECT as_orphan, count(*) AS keys FROM closer WHERE NOT twin GROUP BY as_orphan) c) AS orphans,
      (SELECT coalesce(array_agg(key_id), '{}')::text FROM (
        SELECT key_id FROM closer WHERE NOT twin AND as_orphan <> 'stay' ORDER BY key_id LIMIT ${String(MAX_EXCEPTIONS_LISTED)}) first) AS exceptions,
      (SELECT count(*) FROM doubtful d WHERE NOT EXISTS (
        SELECT FROM ${withApi(l)}
        WHERE ${l.account} = d.account_id AND ${l.isPerApiKey} AND ${asIfAlone} = 'widened' AND NOT (${l.id} IN (SELECT unnest(${twins}))))) AS unwidened`;
}
