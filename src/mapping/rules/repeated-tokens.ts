import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../fragments.js';

/*
 * Which rows `verdicts` has to compare with one another. All other rows have their token to themselves, and
 * `outcomeOfSingleRow` says the same of them. test/mapping/rules.test.ts compares the two parts with the whole.
 */

/**
 * SELECT of the tokens that more than one per-API key has. The search looks at nothing but the token, so that one pass
 * over an index on it is enough. NULL and the empty text can be among them; `hasTokenIn` leaves them out.
 *
 * @param nativeKeysIn the table of the account keys, where tokens of native keys count, too
 */
export const repeatedTokens = (l: LegacyFragments, nativeKeysIn: string | null = null): string => sql`
  SELECT ${l.token()} AS token
  FROM ${l.keys} k
  WHERE ${l.isPerApiKey()}
  GROUP BY ${l.token()}
  HAVING count(*) > 1
  ${nativeKeysIn === null ? '' : `UNION SELECT b.token FROM ${nativeKeysIn} b WHERE b.origin_api_id IS NULL`}`;

/**
 * Condition over `k`: the row has one of the tokens that `tokens` selects. A B-tree on the token finds the rows of an
 * array of tokens; without one the tokens are hashed for one scan.
 */
export const hasTokenIn = (
  l: LegacyFragments,
  { tokens, tokensSorted }: { tokens: string; tokensSorted: boolean },
): string => {
  const [before, after] = tokensSorted ? ['= ANY (ARRAY(', '))'] : ['IN (', ')'];
  return sql`
    ${l.hasToken()} AND ${l.token()} ${before}
      ${tokens}
    ${after}`;
};
