import { sql } from '../database/sql.js';

/** Differences that a chunk lists at most; all are counted. */
const MOST_LISTED = 1000;

const DIFFERENCE = sql`
  jsonb_build_object(
    'key_id', id::text,
    'kind', CASE
      WHEN fault = 'outcome' THEN 'different'
      WHEN fault IS NOT NULL THEN fault
      WHEN lost THEN 'lost'
      WHEN revived THEN 'revived'
      WHEN is_foreign THEN 'gained_foreign'
      ELSE 'gained_store'
    END,
    'fields', CASE WHEN fault = 'outcome' THEN '["outcome"]'::jsonb ELSE to_jsonb(different_fields) END,
    'authorization', to_jsonb(array_remove(ARRAY[
      CASE WHEN lost THEN 'lost' END,
      CASE WHEN revived THEN 'revived' END,
      CASE WHEN is_foreign THEN 'gained_foreign' END,
      CASE WHEN gained <> predicted THEN 'gained_store' END
    ], NULL)),
    'counts', jsonb_build_object(
      'rows', (source_id IS NOT NULL)::int,
      'compared', (source_id IS NOT NULL AND target_id IS NOT NULL)::int,
      'missing', (fault IS NOT DISTINCT FROM 'missing')::int,
      'extra', (fault IS NOT DISTINCT FROM 'extra')::int,
      'different', coalesce(fault IN ('different', 'outcome'), false)::int,
      'lost', coalesce(lost, false)::int,
      'revived', coalesce(revived, false)::int,
      'gained_foreign', coalesce(is_foreign, false)::int,
      'gained_store', gained,
      'predicted_gained_store', predicted))`;

/** The last part of a chunk's statement: sums over the rows of `authorized`, and the first rows that differ. */
export const chunkCounters = sql`
  SELECT count(*) FILTER (WHERE source_id IS NOT NULL) AS rows,
    count(*) FILTER (WHERE source_id IS NOT NULL AND target_id IS NOT NULL) AS compared,
    count(*) FILTER (WHERE fault = 'missing') AS missing,
    count(*) FILTER (WHERE fault = 'extra') AS extra,
    count(*) FILTER (WHERE fault IN ('different', 'outcome')) AS different,
    count(*) FILTER (WHERE lost) AS lost,
    count(*) FILTER (WHERE revived) AS revived,
    count(*) FILTER (WHERE is_foreign) AS gained_foreign,
    coalesce(sum(gained), 0) AS gained_store,
    coalesce(sum(predicted), 0) AS predicted_gained_store,
    count(*) FILTER (WHERE behind) AS behind,
    count(*) FILTER (WHERE ahead) AS ahead,
    (
      SELECT coalesce(jsonb_agg(difference), '[]')
      FROM (
        SELECT
          ${DIFFERENCE} AS difference
        FROM authorized
        WHERE fault IS NOT NULL OR lost OR revived OR is_foreign OR gained <> predicted
        ORDER BY id
        LIMIT ${MOST_LISTED}
      ) first
    ) AS differences
  FROM authorized`;
