import { sql } from '../../database/sql.js';
import type { StageContext } from '../../run/context.js';

/** Decides the keys of page $1. */
export const SETTLE_PAGE = sql`
  /* harden: decide a page of listed keys */
  SELECT keylift.settle_ids(ARRAY(SELECT key_id FROM keylift.listed_keys WHERE page = $1))`;

/** The batches counted listed keys as excluded; this line of the ledger says what they are. */
export const takePage = (target: string): string => sql`
  /* harden: write a page of listed keys into the ledger */
  WITH page AS (
    DELETE FROM keylift.listed_keys WHERE page = $1 RETURNING key_id
  ), decided AS (
    SELECT count(t.id) AS moved, count(*) FILTER (WHERE t.id IS NULL AND x.key_id IS NULL) AS stayed
    FROM page p
      LEFT JOIN ${target} t ON t.id = p.key_id AND t.origin_api_id IS NOT NULL
      LEFT JOIN keylift.outcomes x ON x.key_id = p.key_id
  )
  INSERT INTO keylift.batches (attempt, state, run_id, moved, stayed, set_aside, finished_at)
  SELECT m.attempt, 'done', $2, d.moved, d.stayed, - d.moved - d.stayed, clock_timestamp()
  FROM decided d, keylift.migration m`;

/** Decides the keys that no batch copied: duplicates, and keys without an account. The rows of a token are on one page. */
export async function decideListedKeys(context: StageContext): Promise<void> {
  const { database, schema, run, emit } = context;
  const { rows: pages } = await database.readOnly((s) =>
    s.query<{ page: number; keys: string }>(
      'SELECT page, count(*) AS keys FROM keylift.listed_keys GROUP BY page ORDER BY page',
    ),
  );
  for (const { page, keys } of pages) {
    await database.transaction(
      async (session) => {
        await session.query(SETTLE_PAGE, [page]);
        await session.query(takePage(schema.legacy.target), [page, run.runId]);
      },
      { name: 'harden: decide a page of listed keys', retry: 'underLoad', asynchronousCommit: true },
    );
    emit({ kind: 'step', text: `decided ${keys} duplicates and keys without an account`, rows: Number(keys) });
  }
}
