-- Made by npm run docs for the default configuration; not to be edited.
-- Stage backfill. Copies the keys in batches, several at once. Each batch is one transaction.

-- find keys whose verdict may have changed
-- Its other forms: the holds are left out where there are none.
SELECT x.key_id::text AS key_id
FROM keylift.outcomes x
UNION
SELECT k."id"::text
FROM "public"."api_keys" k
  JOIN "public"."account_api_keys" t ON t.token = k."token"
WHERE t.origin_api_id IS NOT NULL AND true
  AND (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
        OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id"));

-- settle a page of them
/* settling what was not accounted for */
WITH locked AS MATERIALIZED (
  SELECT k."token" AS token
  FROM "public"."api_keys" k
  WHERE k."id" = ANY ($1::text[]::bigint[])
  ORDER BY k."id"
  FOR NO KEY UPDATE OF k
)
SELECT keylift.settle($1::text[]::bigint[], (
  SELECT coalesce(array_agg(DISTINCT seen.token) FILTER (WHERE length(seen.token) > 0), '{}')
  FROM (
    SELECT token FROM locked
    UNION
    SELECT t.token FROM "public"."account_api_keys" t WHERE t.id = ANY ($1::text[]::bigint[])
  ) seen
));

-- cut the keys into ranges
/* cutting the keys into ranges */
WITH RECURSIVE whole AS (
  SELECT upto_id FROM keylift.batches WHERE state = 'uncut'
), boundary (upto_id) AS (
  SELECT (
           SELECT k."id" FROM "public"."api_keys" k
           WHERE k."id" <= w.upto_id
           ORDER BY k."id"
           OFFSET $1::bigint - 1 LIMIT 1
         )
  FROM whole w
  UNION ALL
  SELECT (
           SELECT k."id" FROM "public"."api_keys" k
           WHERE k."id" > b.upto_id AND k."id" <= w.upto_id
           ORDER BY k."id"
           OFFSET $1::bigint - 1 LIMIT 1
         )
  FROM boundary b, whole w
  WHERE b.upto_id IS NOT NULL
)
INSERT INTO keylift.batches (attempt, after_id, upto_id)
SELECT (SELECT attempt FROM keylift.migration), lag(upto_id) OVER (ORDER BY upto_id), upto_id
FROM (
  SELECT upto_id FROM boundary WHERE upto_id IS NOT NULL
  UNION
  SELECT upto_id FROM whole
) ends;

-- take the one open range away
DELETE FROM keylift.batches WHERE state = 'uncut';

-- list the keys with repeated tokens (once)
/* looking for repeated tokens */
INSERT INTO keylift.to_judge (key_id, page)
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
  ) repeated
) ordered
ON CONFLICT (key_id) DO NOTHING;

-- list the keys whose account is missing (once)
/* looking for keys without an account */
INSERT INTO keylift.to_judge (key_id, page)
SELECT key_id, - 1 - (row_number() OVER () - 1) / $1::bigint
FROM (
  SELECT k."id" AS key_id
  FROM "public"."api_keys" k
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE o."id" IS NULL AND true
) orphan
ON CONFLICT (key_id) DO NOTHING;

-- try again what an earlier run had to leave
UPDATE keylift.batches SET state = 'pending', tries = 0 WHERE state = 'failed';

-- claim the next ranges
/* claiming a range */
SELECT batch_no, after_id::text AS after_id, upto_id::text AS upto_id, tries
FROM keylift.batches
WHERE state = 'pending'
ORDER BY batch_no
LIMIT $1
FOR UPDATE SKIP LOCKED;

-- look at what a range holds already
/* looking at a range */
SELECT
  EXISTS (
    SELECT FROM "public"."account_api_keys" t
    WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND t.id <= $2::bigint
  ) AS present,
  EXISTS (
    SELECT FROM keylift.outcomes x
    WHERE ($1::bigint IS NULL OR x.key_id > $1::bigint) AND x.key_id <= $2::bigint
  ) AS outcomes,
  EXISTS (
    SELECT FROM keylift.to_judge j
    WHERE ($1::bigint IS NULL OR j.key_id > $1::bigint) AND j.key_id <= $2::bigint
  ) AS listed,
  EXISTS (SELECT FROM keylift.holds) AS holds;

-- copy one range of keys ($1 < id <= $2) and account for each, one transaction a batch
-- Its other forms: they leave out conditions that can match nothing in the range.
/* copying a batch */
WITH seen AS MATERIALIZED (
  SELECT
    k."id" AS key_id,
    k."account_id" AS c0, k."name" AS c1, k."token" AS c2, k."api_id" AS c3,
    k."created_at" AS c4, k."revoked_at" AS c5, k."expires_at" AS c6,
    k."last_used_at" AS c7,
    (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
      OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS held,
    CASE
      WHEN k."id" IN (
             SELECT j.key_id FROM keylift.to_judge j
             WHERE ($1::bigint IS NULL OR j.key_id > $1::bigint) AND j.key_id <= $2::bigint
           ) THEN 'listed'
      WHEN k."id" IN (
             SELECT x.key_id FROM keylift.outcomes x
             WHERE ($1::bigint IS NULL OR x.key_id > $1::bigint) AND x.key_id <= $2::bigint
           ) THEN 'explained'
      WHEN k."id" IN (
             SELECT t.id FROM "public"."account_api_keys" t
             WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND t.id <= $2::bigint
           ) THEN 'present'
      ELSE
        CASE
          WHEN a."id" IS NULL THEN 'missing_api'
          WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
          WHEN k."account_id" IS NULL THEN 'missing_account'
          WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
          WHEN k."created_at" IS NULL THEN 'missing_created_at'
        END
    END AS reason
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND k."id" <= $2::bigint
    AND true
), moved AS (
  INSERT INTO "public"."account_api_keys"
    (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
     last_used_at)
  SELECT key_id, c0, c1, c2, c3, c4, c5, c6, c7
  FROM seen
  WHERE reason IS NULL AND NOT held
  RETURNING 1
), excluded AS (
  INSERT INTO keylift.outcomes (key_id, outcome, reason)
  SELECT key_id, CASE WHEN reason IS NULL THEN 'hold' ELSE 'exception' END, reason
  FROM seen
  WHERE reason NOT IN ('present', 'explained', 'listed', 'stay') OR (reason IS NULL AND held)
  RETURNING 1
)
SELECT
  count(*) AS rows,
  count(*) FILTER (WHERE reason = 'present') + (SELECT count(*) FROM moved) AS moved,
  count(*) FILTER (WHERE reason = 'stay') AS stayed,
  count(*) FILTER (WHERE reason IN ('explained', 'listed')) + (SELECT count(*) FROM excluded) AS set_aside
FROM seen;

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

-- settle a page of the listed keys
/* settling keys that no batch copies */
WITH page AS (
  SELECT key_id FROM keylift.to_judge WHERE page = $1
), locked AS MATERIALIZED (
  SELECT k."token" AS token, (octet_length(k."token") > 0) IS TRUE AS has_token
  FROM "public"."api_keys" k
  WHERE k."id" IN (SELECT key_id FROM page)
  ORDER BY k."id"
  FOR NO KEY UPDATE OF k
), listed AS (
  SELECT (SELECT array_agg(DISTINCT token) FILTER (WHERE has_token) FROM locked) AS tokens,
    array_agg(key_id) AS ids, count(*) AS keys
  FROM page
)
SELECT keys, CASE WHEN keys > 0 THEN keylift.settle(ids, coalesce(tokens, '{}'))::text END
FROM listed;

-- lock the lines of the ledger
SELECT FROM keylift.batches
WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
ORDER BY batch_no
FOR NO KEY UPDATE;

-- take the page off the list and correct the lines
/* writing listed keys into the ledger */
WITH page AS (
  DELETE FROM keylift.to_judge WHERE page = $1 RETURNING key_id
), lines AS (
  SELECT batch_no, after_id, upto_id, row_number() OVER (ORDER BY upto_id) - 1 AS place
  FROM keylift.batches
  WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
), decided AS (
  SELECT p.key_id, t.id IS NOT NULL AS moved, width_bucket(p.key_id, e.ends) AS place, e.ends
  FROM page p
    LEFT JOIN "public"."account_api_keys" t ON t.id = p.key_id AND t.origin_api_id IS NOT NULL,
    (SELECT array_agg(upto_id ORDER BY upto_id) AS ends FROM lines) e
  WHERE t.id IS NOT NULL OR NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = p.key_id)
), counted AS (
  -- A bucket begins with its lower end, a range ends with its upper one.
  SELECT n.batch_no, count(*) FILTER (WHERE d.moved) AS moved, count(*) FILTER (WHERE NOT d.moved) AS stayed
  FROM decided d
    JOIN lines n ON n.place = d.place - CASE WHEN d.place > 0 AND d.ends[d.place] = d.key_id THEN 1 ELSE 0 END
  WHERE d.key_id <= n.upto_id AND (n.after_id IS NULL OR d.key_id > n.after_id)
  GROUP BY n.batch_no
)
UPDATE keylift.batches b
SET moved = b.moved + c.moved, stayed = b.stayed + c.stayed, set_aside = b.set_aside - c.moved - c.stayed
FROM counted c
WHERE b.batch_no = c.batch_no;

-- cut the copied keys into chunks
SELECT upto_id::text AS upto
FROM (
  SELECT upto_id,
    sum(rows) OVER (ORDER BY upto_id) / $1::bigint AS after_it,
    (sum(rows) OVER (ORDER BY upto_id) - rows) / $1::bigint AS before_it
  FROM keylift.batches
  WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
) line
WHERE floor(after_it) > floor(before_it)
ORDER BY upto_id;

-- count what is not accounted for in a chunk
/* counting what is not accounted for */
SELECT count(*) FILTER (WHERE
  CASE
    WHEN s.key_id IS NULL THEN true
    WHEN t.id IS NOT NULL THEN false
    ELSE NOT (s.api IN (SELECT a."id" FROM "public"."apis" a WHERE NOT ((a.kind = 'store') IS TRUE))) IS TRUE
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = s.key_id)
  END) AS keys
FROM (
  SELECT k."id" AS key_id, k."api_id" AS api
  FROM
    "public"."api_keys" k
  WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
    AND true
) s
FULL JOIN (
  SELECT t.id
  FROM "public"."account_api_keys" t
  WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND ($2::bigint IS NULL OR t.id <= $2::bigint)
    AND t.origin_api_id IS NOT NULL
) t ON t.id = s.key_id;

-- where something is: find it, to settle it
SELECT k."id"::text AS key_id
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE true
  AND CASE
        WHEN a."id" IS NULL THEN 'missing_api'
        WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
        WHEN o."id" IS NULL THEN 'missing_account'
        WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
        WHEN k."created_at" IS NULL THEN 'missing_created_at'
      END IS DISTINCT FROM 'stay'
  AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = k."id" AND t.origin_api_id IS NOT NULL)
  AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = k."id")
UNION ALL
SELECT t.id::text
FROM "public"."account_api_keys" t
WHERE t.origin_api_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true);
