import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { hasTokenIn, repeatedTokens } from '../../mapping/rules/repeated-tokens.js';
import { outcomeOfSingleRow } from '../../mapping/rules/single-row.js';
import { verdicts, type HoldsSource } from '../../mapping/rules/verdicts.js';
import { apisByAccount, countStoreApis } from '../../mapping/store.js';
import { dormant } from '../dormant.js';
import { takenByNativeKey } from '../native-keys.js';

/** What the lists of a plan need to decide the outcomes. */
export interface ListSources {
  holds: HoldsSource;
  /** The table with native keys, or null. */
  nativeKeysIn: string | null;
}

/**
 * The CTE `duplicates`: the verdicts of the rows with repeated tokens. All other rows are judged alone. Where accounts
 * have store APIs of their own, also the CTE `store` with their number.
 */
export function duplicatesCte(
  { legacy: l, types: { tokensSorted } }: MappedSchema,
  { holds, nativeKeysIn }: ListSources,
): string {
  const rows = hasTokenIn(l, { tokens: 'SELECT token FROM repeated', tokensSorted });
  return sql`
    repeated AS MATERIALIZED (
      ${repeatedTokens(l, nativeKeysIn)}
    ), duplicates AS MATERIALIZED (
      SELECT key_id, coalesce(reason, outcome) AS decided, account_key_id, last_used_at
      FROM (
        ${verdicts(l, { holds, rows, ...takenByNativeKey(nativeKeysIn, l.token()) })}
      ) v
    )${
      l.apiNeedsAccount
        ? sql`
            , store AS MATERIALIZED (
              ${apisByAccount(l)}
            )`
        : ''
    }`;
}

/** FROM over every per-API key with its row of `duplicates`, if it has one. */
export const fromAllKeys = (l: LegacyFragments): string => sql`
  ${l.from}
  LEFT JOIN duplicates ON duplicates.key_id = ${l.id()}
  ${l.apiNeedsAccount ? `LEFT JOIN store ON store.account_id = ${l.account()}` : ''}`;

/** The outcome of a row of `fromAllKeys`, or the reason of an exception. */
export const decided = (l: LegacyFragments, { holds }: ListSources): string => sql`
  coalesce(
    duplicates.decided,
    ${outcomeOfSingleRow(l, { holds })}
  )`;

/** Has the row of `fromAllKeys` not been used in 90 days? The last use of a duplicate is that of all its duplicates. */
export const isDormant = (l: LegacyFragments): string =>
  dormant(`coalesce(duplicates.last_used_at, ${l.lastUsedAt()})`);

/** How many APIs an account key of the row of `fromAllKeys` opens, as text. */
export const countOfStoreApis = (l: LegacyFragments): string =>
  l.apiNeedsAccount ? 'coalesce(store.apis, 0)::text' : `(${countStoreApis(l)})::text`;
