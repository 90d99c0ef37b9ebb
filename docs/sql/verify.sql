-- Made by npm run docs for the default configuration; not to be edited.
-- Stage verify. Proves the copy and the authorization, chunk by chunk, and synchronises the last use.

-- cut the keys into chunks
-- Its other forms: the archive is read, too, from finalize on.
SELECT (
  SELECT k."id"::text
  FROM "public"."api_keys" k
  WHERE $1::bigint IS NULL OR k."id" > $1::bigint
  ORDER BY k."id"
  OFFSET $2::bigint - 1 LIMIT 1
) AS upto;

-- forget the duplicates of the last proof
DELETE FROM keylift.proof_duplicates;

-- list the duplicates and their outcomes
-- Its other forms: the archive is read, too, from finalize on.
/* listing the duplicates for a proof */
INSERT INTO keylift.proof_duplicates (key_id, keeper_id, expected, reason, opened)
WITH source AS MATERIALIZED (
  SELECT
    k."id" AS id, k."account_id" AS account_id, k."api_id" AS api_id,
    k."token" AS token, k."created_at" AS created_at, k."expires_at" AS expires_at,
    (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
    a."id" IS NOT NULL AS api_known, ((a.kind = 'store') IS TRUE) AS in_store,
    NOT ((a.kind = 'store') IS TRUE) AS out_of_store,
    o."id" IS NOT NULL AS account_known,
    (octet_length(k."token") > 0) IS TRUE AS has_token,
    (a."id" IS NULL AND EXISTS (
      SELECT FROM "public"."account_api_keys" b
      WHERE b.id = k."id" AND b.origin_api_id = k."api_id")) AS outlives_its_api,
    coalesce(
      k."id" IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
        OR k."account_id" IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL),
      false) AS held,
    false AS left_behind
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE true AND (octet_length(k."token") > 0) IS TRUE
    AND k."token" = ANY (ARRAY(
      SELECT k."token" FROM "public"."api_keys" k WHERE true GROUP BY k."token" HAVING count(*) > 1
      UNION ALL
      SELECT b.token FROM "public"."account_api_keys" b WHERE b.origin_api_id IS NULL
      UNION ALL
      SELECT b.token
      FROM "public"."account_api_keys" b
      WHERE (
              b.origin_api_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = b.origin_api_id)
              AND NOT EXISTS (
                SELECT
                FROM "public"."api_keys" r
                WHERE r."id" = b.id
              )
            )
    ))
),
candidates AS (
  SELECT *,
    (source.api_known AND source.in_store OR source.outlives_its_api)
    AND source.account_known
    AND source.has_token
    AND source.created_at IS NOT NULL
    AND NOT source.left_behind AS may_move,
    (token, account_id) IN (
      SELECT h.token, h.account_id FROM source h WHERE h.held AND NOT h.left_behind
    ) AS held_with_its_token
  FROM source
), token_groups AS (
  SELECT token,
    count(DISTINCT account_id) > 1 AS of_several_accounts,
    bool_or(alive)
      AND (NOT bool_and(alive) OR count(DISTINCT coalesce(expires_at::text, 'never')) > 1) AS of_several_lives,
    (array_agg(id ORDER BY created_at, id))[1] AS keeper_id
  FROM candidates
  WHERE may_move
  GROUP BY token
), compared AS (
  SELECT c.*, g.keeper_id, g.of_several_lives,
    g.of_several_accounts
      OR EXISTS (
           SELECT FROM "public"."account_api_keys" b
           WHERE b.token = c.token
             AND (
               b.origin_api_id IS NULL
               OR b.account_id IS DISTINCT FROM c.account_id
               AND (
                     b.origin_api_id IS NOT NULL
                     AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = b.origin_api_id)
                     AND NOT EXISTS (
                       SELECT
                       FROM "public"."api_keys" r
                       WHERE r."id" = b.id
                     )
                   )
             )
         ) AS shares_token
  FROM candidates c LEFT JOIN token_groups g ON g.token = c.token
), expected AS (
  SELECT *,
    CASE
      WHEN NOT may_move THEN NULL
      WHEN held_with_its_token THEN 'hold'
      WHEN shares_token OR of_several_lives THEN 'exception'
      WHEN id = keeper_id THEN 'move'
      ELSE 'merge'
    END AS outcome,
    CASE
      WHEN NOT may_move OR held_with_its_token THEN NULL
      WHEN shares_token THEN 'shared_token'
      WHEN of_several_lives THEN 'conflicting_status'
    END AS reason
  FROM compared
),
opened AS (
  SELECT token, count(DISTINCT api_id) AS apis
  FROM source
  WHERE alive AND in_store
  GROUP BY token
)
SELECT e.id AS key_id, e.keeper_id, e.outcome AS expected, e.reason, coalesce(p.apis, 0) AS opened
FROM expected e
  LEFT JOIN opened p ON p.token = e.token
-- An id that is in the legacy table and in the archive: the chunks report it.
ON CONFLICT DO NOTHING;

-- count the APIs
SELECT count(*) AS apis FROM "public"."apis" a;

-- ask keylift.authorize
-- Its other forms: the archive is read, too, from finalize on.
/* asking keylift.authorize */
WITH sampled AS (
  (
    SELECT k."token" AS token, k."id" AS key_id
    FROM "public"."api_keys" k
    WHERE true AND (octet_length(k."token") > 0) IS TRUE
    LIMIT $1
  )
  UNION ALL (
    SELECT k."token", k."id"
    FROM keylift.outcomes x
      JOIN "public"."api_keys" k ON k."id" = x.key_id
    WHERE (octet_length(k."token") > 0) IS TRUE
    LIMIT $1
  )
  UNION ALL (SELECT t.token, t.id FROM "public"."account_api_keys" t WHERE t.origin_api_id IS NULL LIMIT $1)
  UNION ALL (SELECT t.token, t.id FROM "public"."account_api_keys" t LIMIT $1)
), tokens AS MATERIALIZED (
  SELECT token, (array_agg(key_id))[1] AS key_id
  FROM sampled
  GROUP BY token
  LIMIT $1
), pairs AS MATERIALIZED (
     SELECT p.token, p.key_id, a."id" AS api_id, ((a.kind = 'store') IS TRUE) AS in_store
     FROM tokens p
       CROSS JOIN "public"."apis" a
   ), rules AS (
  SELECT p.*, old.key_id IS NOT NULL AS opened, old.account_id AS old_account,
    new.key_id IS NOT NULL AS account_key_opens, new.account_id AS new_account
  FROM pairs p
    LEFT JOIN LATERAL (
      SELECT k."id" AS key_id, k."account_id" AS account_id
      FROM
        "public"."api_keys" k
        LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
        LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
      WHERE k."token" = p.token AND k."api_id" = p.api_id
        AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
        AND true
      ORDER BY k."created_at", k."id"
      LIMIT 1
    ) old ON true
    LEFT JOIN LATERAL (
      SELECT t.id AS key_id, t.account_id
      FROM
        "public"."account_api_keys" t
      WHERE t.token = p.token
        AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))
        AND p.in_store
        AND (
          t.origin_api_id IS NULL
          OR coalesce(
               (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = t.account_id),
               (SELECT cohorts FROM keylift.switch_rule)
                 @> (
                      ('x' || encode(
                        substring(sha256(convert_to((t.account_id)::text, 'UTF8')) FROM 1 FOR 4),
                        'hex'
                      ))::bit(32)::bigint % 1000000
                    )::integer
             )
        )
    ) new ON true
), asked AS (
  SELECT r.*, f.answers > 0 AS answers, f.account_id AS answer_account, f.answers > 1 AS twice
  FROM rules r
    CROSS JOIN LATERAL (
      SELECT count(*) AS answers, (array_agg(account_id))[1] AS account_id
      FROM keylift.authorize(r.token, r.api_id)
    ) f
), compared AS (
  SELECT *,
    CASE
      WHEN answers AND NOT opened AND NOT account_key_opens
        THEN CASE WHEN in_store THEN 'revived' ELSE 'gained_custom' END
      WHEN NOT answers AND (opened OR account_key_opens) THEN 'lost'
      WHEN answers AND answer_account IS DISTINCT FROM CASE WHEN opened THEN old_account ELSE new_account END
        THEN 'gained_foreign'
      WHEN twice THEN 'gained_foreign'
    END AS fault
  FROM asked
)
SELECT
  count(*) AS asked,
  count(*) FILTER (WHERE fault = 'lost') AS lost,
  count(*) FILTER (WHERE fault = 'revived') AS revived,
  count(*) FILTER (WHERE fault = 'gained_custom') AS gained_custom,
  count(*) FILTER (WHERE fault = 'gained_foreign') AS gained_foreign,
  (
    SELECT coalesce(jsonb_agg(difference), '[]')
    FROM (
      SELECT jsonb_build_object(
        'key_id', key_id::text, 'kind', fault, 'api_id', api_id::text,
        'authorization', jsonb_build_array(fault)) AS difference
      FROM compared
      WHERE fault IS NOT NULL
      LIMIT 100
    ) first
  ) AS differences
FROM compared;

-- count the store APIs
SELECT count(*) AS apis, EXISTS (SELECT FROM keylift.holds) AS holds
FROM "public"."apis" a
WHERE ((a.kind = 'store') IS TRUE);

-- count the rows of a chunk that agree
-- Its other forms: holds are looked at where there are any; the archive is read, too, from finalize on.
/* proving plain rows */
SELECT count(*) AS rows,
  count(*) FILTER (WHERE kind = 'move') AS moved,
  count(*) FILTER (WHERE kind = 'move' AND alive) AS widened,
  count(*) FILTER (WHERE kind = 'move' AND behind) AS behind,
  count(*) FILTER (WHERE kind = 'move' AND ahead) AS ahead,
  coalesce(array_agg(id::text) FILTER (WHERE kind = 'other'), '{}') AS others
FROM (
  SELECT coalesce(s.id, t.id) AS id, s.alive,
    s.last_used_at IS NOT NULL
    AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at) AS behind,
    t.last_used_at IS NOT NULL
    AND (s.last_used_at IS NULL OR s.last_used_at < t.last_used_at) AS ahead,
    CASE
      WHEN s.id IS NULL OR s.has_outcome OR s.is_duplicate OR false OR s.left_behind
        OR NOT s.api_known THEN 'other'
      WHEN t.id IS NULL THEN CASE WHEN s.out_of_store THEN 'stay' ELSE 'other' END
      WHEN (s.api_known AND s.in_store OR s.outlives_its_api)
           AND s.account_known
           AND s.has_token
           AND s.created_at IS NOT NULL
           AND NOT s.left_behind
        AND NOT (s.name IS DISTINCT FROM t.name)
        AND NOT (s.token IS DISTINCT FROM t.token)
        AND NOT (s.created_at IS DISTINCT FROM t.created_at)
        AND NOT (s.account_id IS DISTINCT FROM t.account_id)
        AND NOT (s.revoked_at IS DISTINCT FROM t.revoked_at)
        AND NOT (s.expires_at IS DISTINCT FROM t.expires_at)
        AND NOT (s.api_id IS DISTINCT FROM t.origin_api_id)
        AND NOT (t.scope IS DISTINCT FROM 'store_apis') THEN 'move'
      ELSE 'other'
    END AS kind
  FROM (
    SELECT facts.*, x.key_id IS NOT NULL AS has_outcome, d.key_id IS NOT NULL AS is_duplicate
    FROM (
      SELECT
        k."id" AS id, k."account_id" AS account_id, k."api_id" AS api_id,
        k."token" AS token, k."created_at" AS created_at, k."expires_at" AS expires_at,
        (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
        a."id" IS NOT NULL AS api_known, ((a.kind = 'store') IS TRUE) AS in_store,
        NOT ((a.kind = 'store') IS TRUE) AS out_of_store,
        k."account_id" IS NOT NULL AS account_known,
        (octet_length(k."token") > 0) IS TRUE AS has_token, false AS outlives_its_api,
        coalesce(
          k."id" IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
            OR k."account_id" IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL),
          false) AS held,
        false AS left_behind,
        k."name" AS name, k."last_used_at" AS last_used_at,
        k."revoked_at" AS revoked_at
      FROM
        "public"."api_keys" k
        LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
        AND true
    ) facts
      LEFT JOIN (
        SELECT x.key_id
        FROM keylift.outcomes x
        WHERE ($1::bigint IS NULL OR x.key_id > $1::bigint) AND ($2::bigint IS NULL OR x.key_id <= $2::bigint)
      ) x ON x.key_id = facts.id
      LEFT JOIN (
        SELECT d.key_id
        FROM keylift.proof_duplicates d
        WHERE ($1::bigint IS NULL OR d.key_id > $1::bigint) AND ($2::bigint IS NULL OR d.key_id <= $2::bigint)
      ) d ON d.key_id = facts.id
  ) s
  FULL JOIN (
    SELECT
      t.id, t.account_id, t.name, t.token, t.scope, t.origin_api_id, t.created_at,
      t.last_used_at, t.revoked_at, t.expires_at,
      (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())) AS alive
    FROM "public"."account_api_keys" t
    WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND ($2::bigint IS NULL OR t.id <= $2::bigint)
      AND t.origin_api_id IS NOT NULL
  ) t ON t.id = s.id
  OFFSET 0 -- keeps PostgreSQL from finding out a row's kind once for each count
) side_by_side;

-- prove a chunk of rows
-- Its other forms: the archive is read, too, from finalize on.
/* proving a chunk of rows */
WITH store AS (
       SELECT count(*) AS apis FROM "public"."apis" a WHERE ((a.kind = 'store') IS TRUE)
     ), source AS (
  SELECT
    k."id" AS id, k."account_id" AS account_id, k."api_id" AS api_id,
    k."token" AS token, k."created_at" AS created_at, k."expires_at" AS expires_at,
    (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
    a."id" IS NOT NULL AS api_known, ((a.kind = 'store') IS TRUE) AS in_store,
    NOT ((a.kind = 'store') IS TRUE) AS out_of_store,
    o."id" IS NOT NULL AS account_known,
    (octet_length(k."token") > 0) IS TRUE AS has_token, false AS outlives_its_api,
    coalesce(
      k."id" IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
        OR k."account_id" IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL),
      false) AS held,
    false AS left_behind,
    k."name" AS name, k."last_used_at" AS last_used_at,
    k."revoked_at" AS revoked_at
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
    AND true
), target AS (
  SELECT
    t.id, t.account_id, t.name, t.token, t.scope, t.origin_api_id, t.created_at,
    t.last_used_at, t.revoked_at, t.expires_at,
    (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())) AS alive
  FROM "public"."account_api_keys" t
  WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND ($2::bigint IS NULL OR t.id <= $2::bigint)
    AND t.origin_api_id IS NOT NULL
), side_by_side AS (
  SELECT coalesce(s.id, t.id) AS id, s.id AS source_id, t.id AS target_id, s.alive AS was_alive, t.alive AS is_alive,
    s.token AS source_token, t.token AS target_token, s.account_id AS source_account, t.account_id AS target_account,
    s.in_store, s.api_known, x.outcome, x.reason, x.account_key_id,
    d.keeper_id, d.expected AS expected_outcome, d.reason AS expected_reason,
    (s.api_known AND s.in_store OR s.outlives_its_api)
    AND s.account_known
    AND s.has_token
    AND s.created_at IS NOT NULL
    AND NOT s.left_behind AS eligible,
    s.api_known AND s.out_of_store AS must_stay,
    s.held, coalesce(s.left_behind, false) AS left_behind,
    t.id IS NOT NULL AND NOT s.api_known AND t.origin_api_id = s.api_id AS outlived_its_api,
    s.id IS NULL AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id) AS outlived_its_row,
    CASE WHEN d.key_id IS NOT NULL THEN d.opened WHEN s.alive AND s.in_store THEN 1 ELSE 0 END AS opened,
    CASE WHEN s.id IS NOT NULL AND t.id IS NOT NULL THEN array_remove(
      ARRAY[
        CASE WHEN s.name IS DISTINCT FROM t.name THEN 'name' END,
        CASE WHEN s.token IS DISTINCT FROM t.token THEN 'token' END,
        CASE WHEN s.created_at IS DISTINCT FROM t.created_at THEN 'created_at' END,
        CASE WHEN s.account_id IS DISTINCT FROM t.account_id THEN 'account_id' END,
        CASE WHEN s.revoked_at IS DISTINCT FROM t.revoked_at THEN 'revoked_at' END,
        CASE WHEN s.expires_at IS DISTINCT FROM t.expires_at THEN 'expires_at' END,
        CASE WHEN s.api_id IS DISTINCT FROM t.origin_api_id THEN 'origin_api_id' END,
        CASE WHEN t.scope IS DISTINCT FROM 'store_apis' THEN 'scope' END
      ], NULL)
    END AS different_fields,
    s.last_used_at IS NOT NULL AND CASE
      WHEN x.outcome = 'merge' THEN EXISTS (
        SELECT FROM "public"."account_api_keys" m
        WHERE m.id = x.account_key_id AND (m.last_used_at IS NULL OR m.last_used_at < s.last_used_at))
      ELSE t.id IS NOT NULL AND s.last_used_at IS NOT NULL
                                AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at)
    END AS behind,
    s.id IS NOT NULL AND t.last_used_at IS NOT NULL
                         AND (s.last_used_at IS NULL OR s.last_used_at < t.last_used_at) AS ahead
  FROM source s FULL JOIN target t ON t.id = s.id
    LEFT JOIN keylift.outcomes x ON x.key_id = s.id
    LEFT JOIN keylift.proof_duplicates d ON d.key_id = s.id
), expected AS (
  SELECT *,
    coalesce(
      CASE
        WHEN left_behind THEN false
        WHEN (target_id IS NULL AND outcome = 'exception' AND reason = 'not_carried') THEN false
        WHEN outlived_its_api THEN true
        WHEN expected_outcome IS NOT NULL THEN expected_outcome = 'move'
        ELSE eligible AND NOT held
      END,
      false) AS should_move
  FROM side_by_side
), compared AS (
  SELECT *,
    CASE
      WHEN source_id IS NULL THEN CASE WHEN NOT outlived_its_row THEN 'extra' END
      WHEN target_id IS NOT NULL AND NOT should_move THEN 'extra'
      WHEN NOT left_behind AND (target_id IS NULL AND outcome = 'exception' AND reason = 'not_carried') THEN NULL
      WHEN target_id IS NULL AND should_move THEN 'missing'
      WHEN target_id IS NOT NULL AND cardinality(different_fields) > 0 THEN 'different'
      -- Excluded once, whatever it became since. A row that opens nothing may be new; a row of the store may not.
      WHEN left_behind THEN
        CASE WHEN NOT (must_stay OR NOT api_known OR coalesce(outcome, '') IN ('hold', 'exception')) THEN 'missing' END
      WHEN should_move OR must_stay THEN CASE WHEN outcome IS NOT NULL THEN 'outcome' END
      WHEN outcome IS NULL THEN 'missing'
      WHEN expected_outcome = 'merge' THEN CASE
        WHEN outcome = 'merge' AND account_key_id = keeper_id THEN NULL
        -- Decided while the lives still differed; both keys are dead by now and open nothing.
        WHEN reason = 'conflicting_status' AND NOT was_alive THEN NULL
        ELSE 'outcome'
      END
      WHEN expected_outcome IN ('hold', 'exception') THEN
        CASE WHEN outcome <> expected_outcome OR reason IS DISTINCT FROM expected_reason THEN 'outcome' END
      WHEN outcome NOT IN ('hold', 'exception') THEN 'outcome'
    END AS fault,
    target_id IS NOT NULL AND is_alive AS opens_store
  FROM expected
), authorized AS (
  SELECT *,
    -- A living key of a store API must still open it: through its account key where it has one, else as it is.
    was_alive AND in_store AND (
      (target_id IS NOT NULL AND NOT (is_alive AND target_token = source_token)
        AND NOT EXISTS (
                  SELECT FROM "public"."account_api_keys" t
                  WHERE t.token = source_token
                    AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))))
      OR (target_id IS NULL AND outcome = 'merge'
        AND NOT EXISTS (
                  SELECT FROM "public"."account_api_keys" t
                  WHERE t.id = account_key_id AND t.token = source_token
                    AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))))
    ) AS lost,
    opens_store AND source_id IS NOT NULL AND (
      NOT was_alive
      OR (target_token <> source_token
        AND NOT EXISTS (
                  SELECT FROM "public"."api_keys" k
                  WHERE k."token" = target_token
                    AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())))
        AND EXISTS (
              SELECT FROM "public"."api_keys" k
              WHERE k."token" = target_token
                AND true))
    ) AS revived,
    opens_store AND NOT outlived_its_row AND CASE
      WHEN target_token = source_token THEN target_account IS DISTINCT FROM source_account
      ELSE EXISTS (
             SELECT FROM "public"."api_keys" k
             WHERE k."token" = target_token
               AND k."account_id" IS DISTINCT FROM target_account)
    END AS is_foreign,
    CASE WHEN opens_store THEN (SELECT apis FROM store) - CASE
      WHEN outlived_its_row THEN 0
      WHEN target_token = source_token THEN opened
      ELSE (
        SELECT count(DISTINCT k."api_id")
        FROM
          "public"."api_keys" k
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
        WHERE k."token" = target_token
          AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
          AND ((a.kind = 'store') IS TRUE)
      )
    END ELSE 0 END AS gained,
    CASE
      -- Nothing but the account key is left to predict from.
      WHEN outlived_its_row THEN CASE WHEN opens_store THEN (SELECT apis FROM store) ELSE 0 END
      WHEN should_move AND was_alive THEN (SELECT apis FROM store) - opened
      ELSE 0
    END AS predicted
  FROM compared
)
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
            'predicted_gained_store', predicted)) AS difference
      FROM authorized
      WHERE fault IS NOT NULL OR lost OR revived OR is_foreign OR gained <> predicted
      ORDER BY id
      LIMIT 1000
    ) first
  ) AS differences
FROM authorized;

-- prove rows by their ids
-- Its other forms: the archive is read, too, from finalize on.
/* proving a chunk of rows */
WITH store AS (
       SELECT count(*) AS apis FROM "public"."apis" a WHERE ((a.kind = 'store') IS TRUE)
     ), source AS (
  SELECT
    k."id" AS id, k."account_id" AS account_id, k."api_id" AS api_id,
    k."token" AS token, k."created_at" AS created_at, k."expires_at" AS expires_at,
    (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
    a."id" IS NOT NULL AS api_known, ((a.kind = 'store') IS TRUE) AS in_store,
    NOT ((a.kind = 'store') IS TRUE) AS out_of_store,
    o."id" IS NOT NULL AS account_known,
    (octet_length(k."token") > 0) IS TRUE AS has_token, false AS outlives_its_api,
    coalesce(
      k."id" IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
        OR k."account_id" IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL),
      false) AS held,
    false AS left_behind,
    k."name" AS name, k."last_used_at" AS last_used_at,
    k."revoked_at" AS revoked_at
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE k."id" = ANY ($1::text[]::bigint[])
    AND true
), target AS (
  SELECT
    t.id, t.account_id, t.name, t.token, t.scope, t.origin_api_id, t.created_at,
    t.last_used_at, t.revoked_at, t.expires_at,
    (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now())) AS alive
  FROM "public"."account_api_keys" t
  WHERE t.id = ANY ($1::text[]::bigint[])
    AND t.origin_api_id IS NOT NULL
), side_by_side AS (
  SELECT coalesce(s.id, t.id) AS id, s.id AS source_id, t.id AS target_id, s.alive AS was_alive, t.alive AS is_alive,
    s.token AS source_token, t.token AS target_token, s.account_id AS source_account, t.account_id AS target_account,
    s.in_store, s.api_known, x.outcome, x.reason, x.account_key_id,
    d.keeper_id, d.expected AS expected_outcome, d.reason AS expected_reason,
    (s.api_known AND s.in_store OR s.outlives_its_api)
    AND s.account_known
    AND s.has_token
    AND s.created_at IS NOT NULL
    AND NOT s.left_behind AS eligible,
    s.api_known AND s.out_of_store AS must_stay,
    s.held, coalesce(s.left_behind, false) AS left_behind,
    t.id IS NOT NULL AND NOT s.api_known AND t.origin_api_id = s.api_id AS outlived_its_api,
    s.id IS NULL AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id) AS outlived_its_row,
    CASE WHEN d.key_id IS NOT NULL THEN d.opened WHEN s.alive AND s.in_store THEN 1 ELSE 0 END AS opened,
    CASE WHEN s.id IS NOT NULL AND t.id IS NOT NULL THEN array_remove(
      ARRAY[
        CASE WHEN s.name IS DISTINCT FROM t.name THEN 'name' END,
        CASE WHEN s.token IS DISTINCT FROM t.token THEN 'token' END,
        CASE WHEN s.created_at IS DISTINCT FROM t.created_at THEN 'created_at' END,
        CASE WHEN s.account_id IS DISTINCT FROM t.account_id THEN 'account_id' END,
        CASE WHEN s.revoked_at IS DISTINCT FROM t.revoked_at THEN 'revoked_at' END,
        CASE WHEN s.expires_at IS DISTINCT FROM t.expires_at THEN 'expires_at' END,
        CASE WHEN s.api_id IS DISTINCT FROM t.origin_api_id THEN 'origin_api_id' END,
        CASE WHEN t.scope IS DISTINCT FROM 'store_apis' THEN 'scope' END
      ], NULL)
    END AS different_fields,
    s.last_used_at IS NOT NULL AND CASE
      WHEN x.outcome = 'merge' THEN EXISTS (
        SELECT FROM "public"."account_api_keys" m
        WHERE m.id = x.account_key_id AND (m.last_used_at IS NULL OR m.last_used_at < s.last_used_at))
      ELSE t.id IS NOT NULL AND s.last_used_at IS NOT NULL
                                AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at)
    END AS behind,
    s.id IS NOT NULL AND t.last_used_at IS NOT NULL
                         AND (s.last_used_at IS NULL OR s.last_used_at < t.last_used_at) AS ahead
  FROM source s FULL JOIN target t ON t.id = s.id
    LEFT JOIN keylift.outcomes x ON x.key_id = s.id
    LEFT JOIN keylift.proof_duplicates d ON d.key_id = s.id
), expected AS (
  SELECT *,
    coalesce(
      CASE
        WHEN left_behind THEN false
        WHEN (target_id IS NULL AND outcome = 'exception' AND reason = 'not_carried') THEN false
        WHEN outlived_its_api THEN true
        WHEN expected_outcome IS NOT NULL THEN expected_outcome = 'move'
        ELSE eligible AND NOT held
      END,
      false) AS should_move
  FROM side_by_side
), compared AS (
  SELECT *,
    CASE
      WHEN source_id IS NULL THEN CASE WHEN NOT outlived_its_row THEN 'extra' END
      WHEN target_id IS NOT NULL AND NOT should_move THEN 'extra'
      WHEN NOT left_behind AND (target_id IS NULL AND outcome = 'exception' AND reason = 'not_carried') THEN NULL
      WHEN target_id IS NULL AND should_move THEN 'missing'
      WHEN target_id IS NOT NULL AND cardinality(different_fields) > 0 THEN 'different'
      -- Excluded once, whatever it became since. A row that opens nothing may be new; a row of the store may not.
      WHEN left_behind THEN
        CASE WHEN NOT (must_stay OR NOT api_known OR coalesce(outcome, '') IN ('hold', 'exception')) THEN 'missing' END
      WHEN should_move OR must_stay THEN CASE WHEN outcome IS NOT NULL THEN 'outcome' END
      WHEN outcome IS NULL THEN 'missing'
      WHEN expected_outcome = 'merge' THEN CASE
        WHEN outcome = 'merge' AND account_key_id = keeper_id THEN NULL
        -- Decided while the lives still differed; both keys are dead by now and open nothing.
        WHEN reason = 'conflicting_status' AND NOT was_alive THEN NULL
        ELSE 'outcome'
      END
      WHEN expected_outcome IN ('hold', 'exception') THEN
        CASE WHEN outcome <> expected_outcome OR reason IS DISTINCT FROM expected_reason THEN 'outcome' END
      WHEN outcome NOT IN ('hold', 'exception') THEN 'outcome'
    END AS fault,
    target_id IS NOT NULL AND is_alive AS opens_store
  FROM expected
), authorized AS (
  SELECT *,
    -- A living key of a store API must still open it: through its account key where it has one, else as it is.
    was_alive AND in_store AND (
      (target_id IS NOT NULL AND NOT (is_alive AND target_token = source_token)
        AND NOT EXISTS (
                  SELECT FROM "public"."account_api_keys" t
                  WHERE t.token = source_token
                    AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))))
      OR (target_id IS NULL AND outcome = 'merge'
        AND NOT EXISTS (
                  SELECT FROM "public"."account_api_keys" t
                  WHERE t.id = account_key_id AND t.token = source_token
                    AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))))
    ) AS lost,
    opens_store AND source_id IS NOT NULL AND (
      NOT was_alive
      OR (target_token <> source_token
        AND NOT EXISTS (
                  SELECT FROM "public"."api_keys" k
                  WHERE k."token" = target_token
                    AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())))
        AND EXISTS (
              SELECT FROM "public"."api_keys" k
              WHERE k."token" = target_token
                AND true))
    ) AS revived,
    opens_store AND NOT outlived_its_row AND CASE
      WHEN target_token = source_token THEN target_account IS DISTINCT FROM source_account
      ELSE EXISTS (
             SELECT FROM "public"."api_keys" k
             WHERE k."token" = target_token
               AND k."account_id" IS DISTINCT FROM target_account)
    END AS is_foreign,
    CASE WHEN opens_store THEN (SELECT apis FROM store) - CASE
      WHEN outlived_its_row THEN 0
      WHEN target_token = source_token THEN opened
      ELSE (
        SELECT count(DISTINCT k."api_id")
        FROM
          "public"."api_keys" k
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
        WHERE k."token" = target_token
          AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
          AND ((a.kind = 'store') IS TRUE)
      )
    END ELSE 0 END AS gained,
    CASE
      -- Nothing but the account key is left to predict from.
      WHEN outlived_its_row THEN CASE WHEN opens_store THEN (SELECT apis FROM store) ELSE 0 END
      WHEN should_move AND was_alive THEN (SELECT apis FROM store) - opened
      ELSE 0
    END AS predicted
  FROM compared
)
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
            'predicted_gained_store', predicted)) AS difference
      FROM authorized
      WHERE fault IS NOT NULL OR lost OR revived OR is_foreign OR gained <> predicted
      ORDER BY id
      LIMIT 1000
    ) first
  ) AS differences
FROM authorized;

-- find last use that differs
-- Its other forms: the archive is read, too, from finalize on.
/* looking for last use that differs */
SELECT EXISTS (
  SELECT
  FROM "public"."account_api_keys" t
    JOIN "public"."api_keys" k ON k."id" = t.id
  WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND ($2::bigint IS NULL OR t.id <= $2::bigint)
    AND t.origin_api_id IS NOT NULL
    AND ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
    AND (
      k."last_used_at" IS NOT NULL AND (t.last_used_at IS NULL OR t.last_used_at < k."last_used_at")
      OR t.last_used_at IS NOT NULL AND (k."last_used_at" IS NULL OR k."last_used_at" < t.last_used_at)
        AND NOT EXISTS (
                  SELECT
                  FROM keylift.outcomes x
                    JOIN "public"."api_keys" k ON k."id" = x.key_id
                  WHERE x.outcome = 'merge' AND x.account_key_id = t.id AND k."last_used_at" >= t.last_used_at
                )
    )
) OR EXISTS (
  SELECT
  FROM keylift.outcomes x
    JOIN "public"."api_keys" k ON k."id" = x.key_id
    JOIN "public"."account_api_keys" t ON t.id = x.account_key_id
  WHERE x.outcome = 'merge'
    AND (
      ($1::bigint IS NULL OR x.account_key_id > $1::bigint) AND ($2::bigint IS NULL OR x.account_key_id <= $2::bigint)
      OR ($1::bigint IS NULL OR x.key_id > $1::bigint) AND ($2::bigint IS NULL OR x.key_id <= $2::bigint)
    )
    AND t.origin_api_id IS NOT NULL
    AND k."last_used_at" IS NOT NULL AND (t.last_used_at IS NULL OR t.last_used_at < k."last_used_at")
) AS found;

-- cut a chunk into pages
-- Its other forms: the archive is read, too, from finalize on.
SELECT CASE WHEN $3::bigint IS NULL OR page.upto::bigint < $3::bigint THEN page.upto END AS upto
FROM (
  SELECT (
    SELECT k."id"::text
    FROM "public"."api_keys" k
    WHERE $1::bigint IS NULL OR k."id" > $1::bigint
    ORDER BY k."id"
    OFFSET $2::bigint - 1 LIMIT 1
  ) AS upto
) page;

-- synchronise the last use of account keys
-- Its other forms: the archive is read, too, from finalize on.
UPDATE "public"."account_api_keys" t
SET last_used_at = s.last_used_at
FROM (
  SELECT id, max(last_used_at) AS last_used_at
  FROM (
    SELECT k."id" AS id, k."last_used_at" AS last_used_at
    FROM "public"."api_keys" k
    WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
    UNION ALL
    SELECT x.account_key_id, k."last_used_at"
    FROM keylift.outcomes x
      JOIN "public"."api_keys" k ON k."id" = x.key_id
    WHERE x.outcome = 'merge'
      AND (
        ($1::bigint IS NULL OR x.account_key_id > $1::bigint) AND ($2::bigint IS NULL OR x.account_key_id <= $2::bigint)
        OR ($1::bigint IS NULL OR x.key_id > $1::bigint) AND ($2::bigint IS NULL OR x.key_id <= $2::bigint)
      )
  ) rows
  GROUP BY id
) s
WHERE t.id = s.id AND t.origin_api_id IS NOT NULL
  AND s.last_used_at IS NOT NULL AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at)
  AND (
        SELECT set_config(
          'search_path',
          coalesce(
            nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
          ),
          true)
      ) IS NOT NULL;

-- synchronise the last use of per-API keys
-- Its other forms: the archive is read, too, from finalize on.
UPDATE "public"."api_keys" k
SET "last_used_at" = t.last_used_at
FROM "public"."account_api_keys" t
WHERE ($1::bigint IS NULL OR k."id" > $1::bigint) AND ($2::bigint IS NULL OR k."id" <= $2::bigint)
  AND t.id = k."id" AND t.origin_api_id IS NOT NULL
  AND t.last_used_at IS NOT NULL AND (k."last_used_at" IS NULL OR k."last_used_at" < t.last_used_at)
  AND NOT EXISTS (
            SELECT
            FROM keylift.outcomes x
              JOIN "public"."api_keys" k ON k."id" = x.key_id
            WHERE x.outcome = 'merge' AND x.account_key_id = t.id AND k."last_used_at" >= t.last_used_at
          )
  AND (
        SELECT set_config(
          'search_path',
          coalesce(
            nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
          ),
          true)
      ) IS NOT NULL;
