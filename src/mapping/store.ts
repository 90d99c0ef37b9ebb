import { sql } from '../database/sql.js';
import type { LegacyFragments } from './fragments.js';

/*
 * Which APIs the keys of an account open. Where `inStore` looks at the API alone, the answer is the same for every
 * account; where it compares the API with the account that asks, each account has store APIs of its own.
 */

/** Does an account key of this account open this API? Both are SQL of an id. */
export const opensFor = (l: LegacyFragments, { api, account }: { api: string; account: string }): string => sql`
  EXISTS (
    SELECT
    FROM ${l.apis} a
      JOIN ${l.accounts} o ON ${l.accountId()} = ${account}
    WHERE ${l.apiId()} = ${api} AND ${l.opens()}
  )`;

/** Do the keys of any account open the API `a`? */
export const opensForAny = (l: LegacyFragments): string =>
  l.apiNeedsAccount
    ? sql`
        EXISTS (
          SELECT
          FROM ${l.accounts} o
          WHERE ${l.opens()}
        )`
    : l.inStore();

/** SELECT of the number of APIs that each account opens: (account_id, apis). An account that opens none has no row. */
export const apisByAccount = (l: LegacyFragments, accounts = 'true'): string => sql`
  SELECT ${l.accountId()} AS account_id, count(*) AS apis
  FROM ${l.accounts} o
    JOIN ${l.apis} a ON ${l.opens()}
  WHERE ${accounts}
  GROUP BY ${l.accountId()}`;

/** SELECT of the number of store APIs; where accounts have store APIs of their own, of all accounts together. */
export const countStoreApis = (l: LegacyFragments): string => sql`
  SELECT count(*) AS apis
  FROM ${l.apis} a
  WHERE ${opensForAny(l)}`;

/** SELECT of the most APIs that one account opens. */
export const mostApis = (l: LegacyFragments): string => sql`
  SELECT coalesce(max(apis), 0) AS most
  FROM (
    ${apisByAccount(l)}
  ) store`;

/**
 * Joins that find the API `a` and the account `o` for `inStore`, by SQL of their ids; none where one store is for all.
 * The account must exist. Where its id is all that `inStore` reads, its row is not looked up.
 */
export function joinStore(l: LegacyFragments, { api, account }: { api: string; account: string }): string {
  if (!l.apiNeedsAccount) return '';
  return sql`
    JOIN ${l.apis} a ON ${l.apiId()} = ${api}
    ${
      l.apiNeedsAccountId
        ? `CROSS JOIN LATERAL (SELECT ${account} AS ${l.accountId('')}) o`
        : `LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${account}`
    }`;
}

/** Shown for the APIs of an account key, which are a rule and not a list (rule 4). */
export const everyStoreApi = (l: LegacyFragments): string =>
  l.apiNeedsAccount ? 'every API of the account' : 'every store API';
