-- Made by npm run docs for the default configuration; not to be edited.
-- Stage backfill. Copies the keys in batches, several at once. Each batch is one transaction.

-- cut the keys into ranges
/* cutting the keys into ranges */
WITH RECURSIVE boundary (upto_id) AS (
  SELECT (SELECT k."id" FROM "public"."api_keys" k ORDER BY k."id" OFFSET $1::bigint - 1 LIMIT 1)
  UNION ALL
  SELECT (
    SELECT k."id" FROM "public"."api_keys" k WHERE k."id" > b.upto_id ORDER BY k."id" OFFSET $1::bigint - 1 LIMIT 1
  )
  FROM boundary b
  WHERE b.upto_id IS NOT NULL
), ends AS (
  SELECT upto_id FROM boundary WHERE upto_id IS NOT NULL
  UNION
  (SELECT k."id" FROM "public"."api_keys" k ORDER BY k."id" DESC LIMIT 1)
)
INSERT INTO keylift.batches (attempt, after_id, upto_id)
SELECT (SELECT attempt FROM keylift.migration), lag(upto_id) OVER (ORDER BY upto_id), upto_id
FROM ends;

-- list the duplicates (once)
/* backfill: list the duplicates */
INSERT INTO keylift.listed_keys (key_id, page)
SELECT key_id, (place - 1) / $1::bigint
FROM (
  SELECT key_id, rank() OVER (ORDER BY first_key) AS place
  FROM (
    SELECT k."id" AS key_id, first_value(k."id") OVER (PARTITION BY k."token" ORDER BY k."id") AS first_key
    FROM "public"."api_keys" k
    WHERE true
      AND (octet_length(k."token") > 0) IS TRUE AND k."token" = ANY (ARRAY(
            SELECT k."token" AS token
            FROM "public"."api_keys" k
            WHERE true
            GROUP BY k."token"
            HAVING count(*) > 1
          ))
  ) AS duplicate
) AS placed
ON CONFLICT (key_id) DO NOTHING;

-- list the keys without an account (once)
/* backfill: list the keys without an account */
INSERT INTO keylift.listed_keys (key_id, page)
SELECT key_id, - 1 - (row_number() OVER () - 1) / $1::bigint
FROM (
  SELECT k."id" AS key_id
  FROM "public"."api_keys" k
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE o."id" IS NULL AND true
) AS without_account
ON CONFLICT (key_id) DO NOTHING;

-- open the ranges again that failed in an earlier run
UPDATE keylift.batches SET state = 'pending', tries = 0 WHERE state = 'failed';

-- claim the next ranges
/* claiming a range */
SELECT batch_no, after_id::text AS after_id, upto_id::text AS upto_id, tries
FROM keylift.batches
WHERE state = 'pending'
ORDER BY batch_no
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- leave a part of a range for another batch, with a small --batch-size
/* trimming a range */
WITH whole AS (
  SELECT * FROM keylift.batches WHERE batch_no = $1
), edge AS (
  SELECT k."id" AS id
  FROM "public"."api_keys" k, whole w
  WHERE (w.after_id IS NULL OR k."id" > w.after_id) AND k."id" <= w.upto_id
  ORDER BY k."id" OFFSET $2::bigint - 1 LIMIT 1
), others AS (
  INSERT INTO keylift.batches (attempt, after_id, upto_id, tries)
  SELECT w.attempt, e.id, w.upto_id, w.tries FROM whole w, edge e WHERE e.id < w.upto_id
  RETURNING after_id
)
UPDATE keylift.batches b SET upto_id = others.after_id
FROM others
WHERE b.batch_no = $1
RETURNING b.batch_no, b.after_id::text AS after_id, b.upto_id::text AS upto_id, b.tries;

-- copy one range of keys ($1 < id <= $2) and account for each, one transaction a batch
-- Its other forms: the holds are left out where there are none.
/* copying a batch */
WITH moved AS (
  INSERT INTO "public"."account_api_keys" (
    id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
        last_used_at)
  SELECT k."id",
    k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
    k."expires_at", k."last_used_at"
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND k."id" <= $2::bigint AND true
    AND NOT k."id" IN (
              SELECT p.key_id FROM keylift.listed_keys p
              WHERE ($1::bigint IS NULL OR p.key_id > $1::bigint) AND p.key_id <= $2::bigint
            )
    AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
              OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id"))
    AND (
      CASE
        WHEN a."id" IS NULL THEN 'missing_api'
        WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
        WHEN false THEN 'missing_account'
        WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
        WHEN k."created_at" IS NULL THEN 'missing_created_at'
      END
    ) IS NULL
    AND (
          SELECT set_config(
            'search_path',
            coalesce(
              nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
            ),
            true)
        ) IS NOT NULL
  RETURNING 1
), excluded AS (
  INSERT INTO keylift.outcomes (key_id, outcome, reason)
  SELECT key_id, CASE WHEN reason IS NULL THEN 'hold' ELSE 'exception' END, reason
  FROM (
    SELECT k."id" AS key_id, (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                               OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS held,
      CASE
        WHEN a."id" IS NULL THEN 'missing_api'
        WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
        WHEN false THEN 'missing_account'
        WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
        WHEN k."created_at" IS NULL THEN 'missing_created_at'
      END AS reason
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND k."id" <= $2::bigint AND true
      AND NOT k."id" IN (
                SELECT p.key_id FROM keylift.listed_keys p
                WHERE ($1::bigint IS NULL OR p.key_id > $1::bigint) AND p.key_id <= $2::bigint
              )
  ) AS key
  WHERE reason <> 'stay' OR (reason IS NULL AND held)
  RETURNING 1
), counted AS (
  SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE stays AND NOT listed) AS stayed,
    count(*) FILTER (WHERE listed) AS listed
  FROM (
    SELECT
      (a."id" IS NOT NULL AND NOT ((a.kind = 'store') IS TRUE)) AS stays,
      k."id" IN (
        SELECT p.key_id FROM keylift.listed_keys p
        WHERE ($1::bigint IS NULL OR p.key_id > $1::bigint) AND p.key_id <= $2::bigint
      ) AS listed
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND k."id" <= $2::bigint AND true
  ) AS key
)
SELECT counted.rows, (SELECT count(*) FROM moved) AS moved, counted.stayed,
  counted.listed + (SELECT count(*) FROM excluded) AS excluded
FROM counted;

-- join the lines of ranges that were copied together
WITH gone AS (
  DELETE FROM keylift.batches WHERE batch_no = ANY ($2) RETURNING batch_no, upto_id
)
UPDATE keylift.batches b SET upto_id = gone.upto_id
FROM gone
WHERE b.batch_no = $1 AND gone.batch_no = $3;

-- write the batch's line of the ledger
/* writing a batch into the ledger */
UPDATE keylift.batches
SET state = 'done', run_id = $2, rows = $3, moved = $4, stayed = $5, set_aside = $6, seconds = $7,
  finished_at = clock_timestamp(), sqlstate = NULL
WHERE batch_no = $1;

-- note a failed try of a range
UPDATE keylift.batches
SET tries = $2::integer, sqlstate = $3::text,
  state = CASE WHEN $2::integer >= $4::integer THEN 'failed' ELSE state END
WHERE batch_no = $1 AND state = 'pending';

-- split a range that took too long
/* splitting a range */
WITH whole AS (
  SELECT * FROM keylift.batches WHERE batch_no = $1 AND state = 'pending' FOR UPDATE
), keys AS (
  SELECT k."id" AS id, row_number() OVER (ORDER BY k."id") AS place, count(*) OVER () AS total
  FROM "public"."api_keys" k, whole w
  WHERE (w.after_id IS NULL OR k."id" > w.after_id) AND k."id" <= w.upto_id
), middle AS (
  SELECT id FROM keys WHERE total > 1 AND place = total / 2
), lower AS (
  INSERT INTO keylift.batches (attempt, after_id, upto_id, tries)
  SELECT w.attempt, w.after_id, m.id, w.tries FROM whole w, middle m
  RETURNING upto_id
)
UPDATE keylift.batches b SET after_id = lower.upto_id
FROM lower
WHERE b.batch_no = $1;

-- statistics of the new table, after the first batch
ANALYZE "public"."account_api_keys";

-- look one key up, once in 100 ms with --max-latency
SELECT f.key_id
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  CROSS JOIN LATERAL keylift.authorize(k."token", k."api_id") f
WHERE k."id" = $1::text::bigint;
