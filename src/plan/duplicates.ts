import { and, sql } from '../database/sql.js';
import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import { hasTokenIn, repeatedTokens } from '../mapping/rules/repeated-tokens.js';
import { outcomeOfSingleRow, singleRowMoves } from '../mapping/rules/single-row.js';
import { verdicts, type HoldsSource } from '../mapping/rules/verdicts.js';
import { classOf, countByClass, type Classes } from './classes.js';
import { dormant } from './dormant.js';
import { firstExceptions, listOf, SHARED_REASONS, type ExceptionKey } from './exceptions.js';
import { takenByNativeKey } from './native-keys.js';

export interface DuplicatesOptions {
  holds: HoldsSource;
  /** True where a B-tree finds rows by their tokens. */
  tokensSorted: boolean;
  /** The table with native keys, or null. */
  nativeKeysIn: string | null;
  /** Exceptions to list at most. */
  listed: number;
}

/** What `countDuplicates` answers. */
export interface Duplicates {
  classes: Classes;
  /** The same rows as `countSingleRows` counts them. */
  single_classes: Classes;
  exceptions: ExceptionKey[];
  /** Accounts with a key that is widened, of all keys; decimal text. */
  accounts: string;
}

/**
 * Counts the rows of repeated tokens by their verdicts, and by the classes that `countSingleRows` takes them for. With
 * these rows known, it also counts the accounts that have a widened key.
 */
export function countDuplicates(
  l: LegacyFragments,
  { holds, tokensSorted, nativeKeysIn, listed }: DuplicatesOptions,
): string {
  const rows = hasTokenIn(l, { tokens: 'SELECT token FROM repeated', tokensSorted });
  const also = { own_last_used_at: l.lastUsedAt(), single_outcome: outcomeOfSingleRow(l, { holds }) };
  return sql`
    /* planning the keys with repeated tokens */
    WITH repeated AS MATERIALIZED (
      ${repeatedTokens(l, nativeKeysIn)}
    ), duplicates AS MATERIALIZED (
      SELECT key_id, account_id,
        ${classOf('coalesce(reason, outcome)', 'alive')} AS class,
        ${dormant('last_used_at')} AS dormant,
        ${classOf('single_outcome', 'alive')} AS single_class,
        ${dormant('own_last_used_at')} AS single_dormant
      FROM (
        ${verdicts(l, { holds, rows, also, ...takenByNativeKey(nativeKeysIn, l.token()) })}
      ) v
    )
    SELECT (
      ${countByClass('duplicates')}
    ) AS classes, (
      ${countByClass('duplicates', { className: 'single_class', dormant: 'single_dormant' })}
    ) AS single_classes, (
      ${firstExceptions(
        `(SELECT key_id, class AS reason FROM duplicates WHERE class IN ${listOf(SHARED_REASONS)}) listed`,
        listed,
      )}
    ) AS exceptions, (
      ${widenedAccounts(l, holds)}
    ) AS accounts`;
}

/**
 * The question starts from the accounts that exist, so no key's account is looked up. PostgreSQL hashes the accounts of
 * the two lists; for a UNION it would sort them.
 */
const widenedAccounts = (l: LegacyFragments, holds: HoldsSource): string => sql`
  SELECT count(*)
  FROM ${l.accounts} account
  WHERE ${l.accountId('account')} IN (SELECT account_id FROM duplicates WHERE class = 'widened')
    OR ${l.accountId('account')} IN (
      SELECT ${l.account()}
      FROM
        ${withApi(l)}
      WHERE ${l.isPerApiKey()}
        AND ${l.alive()}
        ${and(singleRowMoves(l, holds))}
        AND ${l.id()} NOT IN (SELECT key_id FROM duplicates)
    )`;
