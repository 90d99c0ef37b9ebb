import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { joinStore } from '../mapping/store.js';
import type { Finality } from './finality.js';
import { expectedOutcomes, isOfMissingApi, outlivesItsApi, ruleFacts } from './rules.js';

/**
 * SELECT of the rows of repeated tokens, tokens of native keys among them, as a proof expects them: (key_id, keeper_id,
 * expected, reason, opened). `expected` is NULL for a row that does not take part in its group; `opened` counts the store
 * APIs that the token opened before.
 */
export function expectedDuplicates({ legacy: l, types }: MappedSchema, finality: Finality): string {
  const sorted = types.tokensSorted && isOneTable(l);
  const final = finality.leftBehind !== 'false';
  return sql`
    WITH source AS MATERIALIZED (
      SELECT
        ${ruleFacts(l, { finality, outlives: outlivesItsApi(l) })}
      FROM
        ${l.from}
      WHERE ${l.isPerApiKey()} AND ${l.hasToken()}
        AND ${l.token()} ${sorted ? '= ANY (ARRAY(' : 'IN ('}
          SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1
          UNION ALL
          SELECT b.token FROM ${l.target} b WHERE b.origin_api_id IS NULL
          ${
            final
              ? ''
              : sql`
                  UNION ALL
                  SELECT b.token
                  FROM ${l.target} b
                  WHERE ${outlivesItsRow(l)}`
          }
        ${sorted ? '))' : ')'}
    ),
    ${expectedOutcomes({
      finality,
      nativeKeyHas: (token, account) => sql`
        EXISTS (
          SELECT FROM ${l.target} b
          WHERE b.token = ${token}
            AND (
              b.origin_api_id IS NULL
              ${
                final
                  ? ''
                  : sql`
                      OR b.account_id IS DISTINCT FROM ${account}
                      AND ${outlivesItsRow(l)}`
              }
            )
        )`,
    })},
    opened AS (
      ${l.apiNeedsAccount ? openedOfAccount(l) : OPENED}
    )
    SELECT e.id AS key_id, e.keeper_id, e.outcome AS expected, e.reason, coalesce(p.apis, 0) AS opened
    FROM expected e
      LEFT JOIN opened p ON p.token = e.token${l.apiNeedsAccount ? ' AND p.account_id = e.account_id' : ''}`;
}

const OPENED = sql`
  SELECT token, count(DISTINCT api_id) AS apis
  FROM source
  WHERE alive AND in_store
  GROUP BY token`;

/** Where accounts have store APIs of their own: those of each account that any row of the token opened. */
const openedOfAccount = (l: LegacyFragments): string => sql`
  SELECT w.token, w.account_id, count(DISTINCT s.api_id) AS apis
  FROM (SELECT DISTINCT token, account_id FROM expected WHERE may_move) w
    JOIN source s ON s.token = w.token AND s.alive
    ${joinStore(l, { api: 's.api_id', account: 'w.account_id' })}
  WHERE ${l.inStore()}
  GROUP BY w.token, w.account_id`;

/** Over an account key `b`: its per-API row went with its API, and it stays. */
const outlivesItsRow = (l: LegacyFragments): string => sql`
  (
    b.origin_api_id IS NOT NULL
    AND ${isOfMissingApi(l, 'b.origin_api_id')}
    AND NOT EXISTS (
      SELECT
      FROM ${l.keys} r
      WHERE ${l.id('r')} = b.id
    )
  )`;

/** The source is the legacy table alone: its index finds the rows of a list of tokens; the archive has none. */
const isOneTable = ({ keys }: LegacyFragments): boolean => !keys.startsWith('('); // `overSource` makes a subquery
