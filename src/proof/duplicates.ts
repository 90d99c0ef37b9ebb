import { sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Finality } from './finality.js';
import { expectedOutcomes, outlivesItsApi, ruleFacts } from './rules.js';

/**
 * SELECT of the rows of repeated tokens, tokens of native keys among them, as a proof expects them: (key_id, keeper_id,
 * expected, reason, opened). `expected` is NULL for a row that does not take part in its group; `opened` counts the store
 * APIs that the token opened before.
 */
export const expectedDuplicates = ({ legacy: l, types }: MappedSchema, finality: Finality): string => sql`
  WITH source AS MATERIALIZED (
    SELECT
      ${ruleFacts(l, { finality, outlives: outlivesItsApi(l) })}
    FROM
      ${l.from}
    WHERE ${l.isPerApiKey()} AND ${l.hasToken()}
      AND ${l.token()} ${types.tokensSorted && isOneTable(l) ? '= ANY (ARRAY(' : 'IN ('}
        SELECT ${l.token()}
        FROM ${l.keys} k
        WHERE ${l.isPerApiKey()}
        GROUP BY ${l.token()}
        HAVING count(*) > 1
        UNION ALL
        SELECT b.token FROM ${l.target} b WHERE b.origin_api_id IS NULL
      ${types.tokensSorted && isOneTable(l) ? '))' : ')'}
  ),
  ${expectedOutcomes({
    finality,
    nativeKeyHas: (token) => sql`
      EXISTS (
        SELECT FROM ${l.target} b
        WHERE b.token = ${token} AND b.origin_api_id IS NULL)`,
  })},
  opened AS (
    SELECT token, count(DISTINCT api_id) AS apis
    FROM source
    WHERE alive AND in_store
    GROUP BY token
  )
  SELECT e.id AS key_id, e.keeper_id, e.outcome AS expected, e.reason, coalesce(o.apis, 0) AS opened
  FROM expected e LEFT JOIN opened o ON o.token = e.token`;

/** The source is the legacy table alone: its index finds the rows of a list of tokens. The archive has no such index. */
const isOneTable = ({ keys }: LegacyFragments): boolean => !keys.startsWith('('); // `overSource` makes a subquery
