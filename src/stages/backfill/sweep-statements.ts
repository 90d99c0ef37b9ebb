import { sql } from '../../database/sql.js';
import { rowsInRange } from '../../mapping/chunks.js';
import { copiedColumns, sourceRow, targetRow } from '../../mapping/copy.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import { heldByName, settledByItself } from '../../mapping/rules/verdicts.js';

/** Rows without an account key and without a reason, account keys without a row. Done means that this is empty. */
export const unaccounted = (l: LegacyFragments): string => sql`
  SELECT ${l.id()}::text AS key_id
  FROM
    ${l.from}
  WHERE ${l.isPerApiKey()}
    AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
  UNION ALL
  SELECT t.id::text
  FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id AND ${l.isPerApiKey()})`;

/**
 * The same as a count over one chunk. A row without an account key is rare; only such a row is asked for its API and its
 * outcome.
 */
export function countUnaccounted(l: LegacyFragments, idType: string): string {
  const source = l.apiNeedsAccount
    ? { columns: `${l.apiId()} IS NOT NULL AND NOT ${l.inStore()} AS stays`, from: l.from, stays: 's.stays' }
    : {
        columns: `${l.api()} AS api`,
        from: `${l.keys} k`,
        stays: `(s.api IN (SELECT ${l.apiId()} FROM ${l.apis} a WHERE NOT ${l.inStore()})) IS TRUE`,
      };
  return sql`
    /* counting what is not accounted for */
    SELECT count(*) FILTER (WHERE
      CASE
        WHEN s.key_id IS NULL THEN true
        WHEN t.id IS NOT NULL THEN false
        ELSE NOT ${source.stays}
          AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = s.key_id)
      END) AS keys
    FROM (
      SELECT ${l.id()} AS key_id, ${source.columns}
      FROM
        ${source.from}
      WHERE ${rowsInRange(l.id(), idType)}
        AND ${l.isPerApiKey()}
    ) s
    FULL JOIN (
      SELECT t.id
      FROM ${l.target} t
      WHERE ${rowsInRange('t.id', idType)}
        AND t.origin_api_id IS NOT NULL
    ) t ON t.id = s.key_id`;
}

/** Keys whose verdict time, a new list of holds or another table may have changed. */
export const worthSettlingAgain = (l: LegacyFragments, { holds }: { holds: boolean }): string => sql`
  SELECT x.key_id::text AS key_id
  FROM keylift.outcomes x
  ${holds ? nowHeld(l) : ''}
  ${changedElsewhere(l)}`;

/** A hold applies to all rows of its account with the token: the named row may be a custom API's, and another one moved. */
const nowHeld = (l: LegacyFragments): string => sql`
  UNION
  SELECT ${l.id()}::text
  FROM ${l.keys} k
    JOIN ${l.target} t ON t.token = ${l.token()}
  WHERE t.origin_api_id IS NOT NULL AND ${l.isPerApiKey()}
    AND ${heldByName(l, { from: 'ledger' })}`;

/** An expression may look at other tables, such as the one that says who owns a key; no trigger sees their changes. */
function changedElsewhere(l: LegacyFragments): string {
  const computed = copiedColumns(l).filter(({ computed: byExpression }) => byExpression);
  if (computed.length === 0) return '';
  return sql`
    UNION
    SELECT t.id::text
    FROM ${l.target} t
      JOIN ${l.keys} k ON ${l.id()} = t.id
    WHERE t.origin_api_id IS NOT NULL
      AND record_image_ne(
        ${targetRow(computed)},
        ${sourceRow(computed)})`;
}

/** Settles the keys $1; their rows are locked first, as in `settleListed`. */
export const settlePage = (l: LegacyFragments, idType: string): string => sql`
  /* settling what was not accounted for */
  WITH locked AS MATERIALIZED (
    SELECT ${l.token()} AS token
    FROM ${l.keys} k
    WHERE ${l.id()} = ANY ($1::text[]::${idType}[])
    ORDER BY ${l.id()}
    FOR NO KEY UPDATE OF k
  )
  SELECT keylift.settle($1::text[]::${idType}[], (
    SELECT coalesce(array_agg(DISTINCT seen.token) FILTER (WHERE length(seen.token) > 0), '{}')
    FROM (
      SELECT token FROM locked
      UNION
      SELECT t.token FROM ${l.target} t WHERE t.id = ANY ($1::text[]::${idType}[])
    ) seen
  ))`;
