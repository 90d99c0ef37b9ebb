import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';

/** Cuts all keys into ranges of $1 keys. A key that is inserted later is in the change log. */
export const cutRanges = (l: LegacyFragments): string => sql`
  /* cutting the keys into ranges */
  WITH RECURSIVE boundary (upto_id) AS (
    SELECT (SELECT ${l.id()} FROM ${l.keys} k ORDER BY ${l.id()} OFFSET $1::bigint - 1 LIMIT 1)
    UNION ALL
    SELECT (
      SELECT ${l.id()} FROM ${l.keys} k WHERE ${l.id()} > b.upto_id ORDER BY ${l.id()} OFFSET $1::bigint - 1 LIMIT 1
    )
    FROM boundary b
    WHERE b.upto_id IS NOT NULL
  ), ends AS (
    SELECT upto_id FROM boundary WHERE upto_id IS NOT NULL
    UNION
    (SELECT ${l.id()} FROM ${l.keys} k ORDER BY ${l.id()} DESC LIMIT 1)
  )
  INSERT INTO keylift.batches (attempt, after_id, upto_id)
  SELECT (SELECT attempt FROM keylift.migration), lag(upto_id) OVER (ORDER BY upto_id), upto_id
  FROM ends`;

/** Claims the next $1 ranges that no other batch holds. */
export const CLAIM_RANGES = sql`
  /* claiming a range */
  SELECT batch_no, after_id::text AS after_id, upto_id::text AS upto_id, tries
  FROM keylift.batches
  WHERE state = 'pending'
  ORDER BY batch_no
  LIMIT $1
  FOR UPDATE SKIP LOCKED`;

/** Neighbouring ranges that were copied together leave one line: range $1 ends where range $3, the last, ended. */
export const JOIN_RANGES = sql`
  WITH gone AS (
    DELETE FROM keylift.batches WHERE batch_no = ANY ($2) RETURNING batch_no, upto_id
  )
  UPDATE keylift.batches b SET upto_id = gone.upto_id
  FROM gone
  WHERE b.batch_no = $1 AND gone.batch_no = $3`;

/** The batch's own line in the ledger, written in the batch's transaction. */
export const FINISH_BATCH = sql`
  /* writing a batch into the ledger */
  UPDATE keylift.batches
  SET state = 'done', run_id = $2, rows = $3, moved = $4, stayed = $5, set_aside = $6, seconds = $7,
    finished_at = clock_timestamp(), sqlstate = NULL
  WHERE batch_no = $1`;

/** Notes a failed try of a range that was alone in its batch; the last one marks it as failed. */
export const NOTE_FAILURE = sql`
  UPDATE keylift.batches
  SET tries = $2::integer, sqlstate = $3::text,
    state = CASE WHEN $2::integer >= $4::integer THEN 'failed' ELSE state END
  WHERE batch_no = $1 AND state = 'pending'`;

/** Cuts one range at its middle key; both halves keep the count of tries. A range of one key stays whole. */
export const splitRange = (l: LegacyFragments): string => sql`
  /* splitting a range */
  WITH whole AS (
    SELECT * FROM keylift.batches WHERE batch_no = $1 AND state = 'pending' FOR UPDATE
  ), keys AS (
    SELECT ${l.id()} AS id, row_number() OVER (ORDER BY ${l.id()}) AS place, count(*) OVER () AS total
    FROM ${l.keys} k, whole w
    WHERE (w.after_id IS NULL OR ${l.id()} > w.after_id) AND ${l.id()} <= w.upto_id
  ), middle AS (
    SELECT id FROM keys WHERE total > 1 AND place = total / 2
  ), lower AS (
    INSERT INTO keylift.batches (attempt, after_id, upto_id, tries)
    SELECT w.attempt, w.after_id, m.id, w.tries FROM whole w, middle m
    RETURNING upto_id
  )
  UPDATE keylift.batches b SET after_id = lower.upto_id
  FROM lower
  WHERE b.batch_no = $1`;

/** Leaves $2 keys in range $1; the others are a range of their own. Changes nothing where it has no more. */
export const trimRange = (l: LegacyFragments): string => sql`
  /* trimming a range */
  WITH whole AS (
    SELECT * FROM keylift.batches WHERE batch_no = $1
  ), edge AS (
    SELECT ${l.id()} AS id
    FROM ${l.keys} k, whole w
    WHERE (w.after_id IS NULL OR ${l.id()} > w.after_id) AND ${l.id()} <= w.upto_id
    ORDER BY ${l.id()} OFFSET $2::bigint - 1 LIMIT 1
  ), others AS (
    INSERT INTO keylift.batches (attempt, after_id, upto_id, tries)
    SELECT w.attempt, e.id, w.upto_id, w.tries FROM whole w, edge e WHERE e.id < w.upto_id
    RETURNING after_id
  )
  UPDATE keylift.batches b SET upto_id = others.after_id
  FROM others
  WHERE b.batch_no = $1
  RETURNING b.batch_no, b.after_id::text AS after_id, b.upto_id::text AS upto_id, b.tries`;

/** A new run tries what an earlier one had to leave. */
export const RETRY_FAILED = `UPDATE keylift.batches SET state = 'pending', tries = 0 WHERE state = 'failed'`;
