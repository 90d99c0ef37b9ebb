import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** A batch of the backfill holds its range exclusively while it copies; a writer that changes a key of it shares it. */
export function awaitBatches({ types }: MappedSchema): InstalledFunction {
  const fromOpenRanges = (alias: string): string => sql`
    FROM unnest(ids) AS given (id),
      LATERAL (
        SELECT * FROM keylift.batches r WHERE r.open AND r.upto_id >= given.id ORDER BY r.upto_id LIMIT 1
      ) ${alias}
    WHERE ${alias}.after_id IS NULL OR ${alias}.after_id < given.id`;
  return installedFunction({
    name: 'await_batches',
    parameters: [{ name: 'ids', type: `${types.id}[]` }],
    returns: 'void',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Waits for the batches that copy a range with one of these ids, and keeps such ranges from being copied until the
      transaction ends. A range may be split or finished while this waits, so it looks again until the ranges it sees
      are the ranges it has locked.`,
    body: sql`
      DECLARE
        expected bigint;
        locked bigint;
      BEGIN
        LOOP
          SELECT count(DISTINCT b.batch_no)
          INTO expected
          ${fromOpenRanges('b')};
          EXIT WHEN expected = 0;
          SELECT count(*)
          INTO locked
          FROM (
            SELECT FROM keylift.batches b
            WHERE b.open AND b.batch_no IN (
              SELECT r.batch_no
              ${fromOpenRanges('r')}
            )
            FOR SHARE OF b
          ) held;
          EXIT WHEN locked = expected;
        END LOOP;
      END`,
  });
}
