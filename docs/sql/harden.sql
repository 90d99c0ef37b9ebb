-- Made by npm run docs for the default configuration; not to be edited.
-- Stage harden. Adds indexes, turns the mirror on and adds constraints. authorize then answers switched accounts.

-- step 06_settle: number of the mirror
DO $do$
BEGIN
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION keylift.mirror_number() RETURNS integer LANGUAGE sql IMMUTABLE RETURN %s',
    (SELECT mirror FROM keylift.migration));
END
$do$;

-- step 06_settle: rights on keylift.mirror_number
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_number()'::regprocedure);

-- step 06_settle: type keylift.verdict
CREATE TYPE keylift.verdict AS (
  key_id bigint,
  outcome text,
  reason text,
  account_key_id bigint,
  token text,
  last_used_at timestamp with time zone
);
SELECT keylift.revoke_from_others('TYPE', 'keylift.verdict'::regtype);

-- step 06_settle: function keylift.platform_path
CREATE FUNCTION keylift.platform_path(path text, schemas name[])
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- The search path of the platform's triggers, which run with the rights of keylift here. It leaves out each schema
--       in which the session's user may create objects: one of them could take the place of the object that a trigger
-- means. The schema of the legacy table stays, and so does every schema where the user owns that table. Temporary
-- objects come last.
#variable_conflict use_column
BEGIN
  IF platform_path.schemas = ARRAY['public'::name] THEN
    RETURN quote_ident('public') || ', pg_temp';
  END IF;
  RETURN concat_ws(', ', (
    SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY s.position)
    FROM unnest(
        CASE WHEN platform_path.path LIKE '%$user%' THEN ARRAY[session_user::name] ELSE '{}' END
        || platform_path.schemas) WITH ORDINALITY AS s (name, position)
      JOIN pg_namespace n ON n.nspname = s.name
    WHERE n.nspname NOT LIKE 'pg\_temp\_%'
      AND (
        n.nspname = 'public'
        OR NOT has_schema_privilege(session_user, n.oid, 'CREATE')
        OR pg_has_role(session_user,
          (SELECT c.relowner FROM pg_class c WHERE c.oid = '"public"."api_keys"'::regclass), 'MEMBER')
      )
  ), 'pg_temp');
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.platform_path(text, name[])'::regprocedure);

-- step 06_settle: function keylift.crowded_tokens
CREATE FUNCTION keylift.crowded_tokens(touched_id bigint, touched_tokens text[])
RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Of these tokens, those that many rows have, at least two of them of different accounts, without the row with this
-- id. Two such rows are locked until this transaction ends, so that they keep token and account. Rows that other
-- sessions change are passed over: nobody waits.
#variable_conflict use_column
<<own>>
DECLARE
  -- Copies: a parameter takes the collation of its argument.
  id CONSTANT bigint := touched_id;
  tokens CONSTANT text[] COLLATE "default" := touched_tokens;
  token text COLLATE "default";
  crowded text[] COLLATE "default" := '{}';
  account bigint;
BEGIN
  IF EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = own.id) THEN RETURN own.crowded; END IF;
  FOR position IN 1..cardinality(own.tokens) LOOP
    own.token := own.tokens[position];
    CONTINUE WHEN NOT EXISTS (
      SELECT FROM "public"."api_keys" k WHERE k."token" = own.token OFFSET 20
    );
    SELECT k."account_id"
    INTO own.account
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = own.token AND k."id" <> own.id
      AND true
      AND true
      AND (CASE
             WHEN a."id" IS NULL THEN 'missing_api'
             WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
             WHEN o."id" IS NULL THEN 'missing_account'
             WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
             WHEN k."created_at" IS NULL THEN 'missing_created_at'
           END) IS NULL
    LIMIT 1
    FOR SHARE OF k SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    SELECT k."account_id"
    INTO own.account
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = own.token AND k."id" <> own.id
      AND k."account_id" <> own.account
      AND true
      AND (CASE
             WHEN a."id" IS NULL THEN 'missing_api'
             WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
             WHEN o."id" IS NULL THEN 'missing_account'
             WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
             WHEN k."created_at" IS NULL THEN 'missing_created_at'
           END) IS NULL
    LIMIT 1
    FOR SHARE OF k SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    CONTINUE WHEN EXISTS (SELECT FROM keylift.holds h WHERE h.key_id IS NOT NULL) AND EXISTS (
                    SELECT FROM "public"."api_keys" k
                    WHERE k."token" = own.token
                      AND k."account_id" = (SELECT c."account_id" FROM "public"."api_keys" c WHERE c."id" = own.id)
                      AND EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                  );
    own.crowded := own.crowded || own.token;
  END LOOP;
  RETURN own.crowded;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.crowded_tokens(bigint, text[])'::regprocedure);

-- step 06_settle: function keylift.settle
CREATE FUNCTION keylift.settle(touched_ids bigint[], touched_tokens text[],
                               by_trigger boolean DEFAULT false)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Makes account keys and outcomes what the rules say of the legacy rows with these ids or tokens as they are now. The
-- triggers call it for changed rows; a stage calls it where a hold, an account or an API may have changed a verdict.
-- It returns early where a trigger asks and account key, per-API key and ledger already agree.
#variable_conflict use_column
<<own>>
DECLARE
  id CONSTANT bigint := touched_ids[1];
  token CONSTANT text COLLATE "default" := touched_tokens[1];
  migration_state text;
  mirror_on boolean := true;
  nothing_to_do boolean := false;
  writer_before CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
  written text;
  path text;
BEGIN
  -- A stage that calls has a reason that no row shows: a hold, or an account.
  IF by_trigger AND cardinality(touched_ids) = 1 AND cardinality(touched_tokens) = 1 THEN
    SELECT
      (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()),
      NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
        AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
        AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
        AND CASE
          WHEN t.id IS NULL THEN
            k."id" IS NULL OR NOT true OR (a."id" IS NOT NULL AND NOT ((a.kind = 'store') IS TRUE))
          ELSE
            true
            AND (CASE
                  WHEN a."id" IS NULL THEN 'missing_api'
                  WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                  WHEN o."id" IS NULL THEN 'missing_account'
                  WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                  WHEN k."created_at" IS NULL THEN 'missing_created_at'
                END) IS NULL AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                  OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AND NOT EXISTS (
                  SELECT FROM "public"."account_api_keys" b
                  WHERE b.token = k."token"
                    AND (
                      b.origin_api_id IS NULL
                      OR b.account_id IS DISTINCT FROM k."account_id"
                        AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                        AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                      OR b.id <> k."id"
                        AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                        AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                        AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
                    )
                )
            AND record_image_eq(
              ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at,
                  t.expires_at),
              ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
                  k."expires_at"))
          END
    INTO own.migration_state, own.nothing_to_do
    FROM (SELECT) one
      LEFT JOIN "public"."account_api_keys" t ON t.id = own.id AND t.origin_api_id IS NOT NULL
      LEFT JOIN (
        "public"."api_keys" k
        LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
        LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
      ) ON k."id" = own.id;
    nothing_to_do := nothing_to_do AND migration_state <> 'rolling_back';
  ELSE
    SELECT m.state, m.mirror_on
    INTO own.migration_state, own.mirror_on
    FROM keylift.migration m WHERE m.mirror = keylift.mirror_number();
  END IF;
  IF migration_state IS NULL THEN
    RAISE EXCEPTION 'this transaction read the database before keylift mirrored it; run it again'
      USING ERRCODE = 'serialization_failure';
  END IF;
  -- An assignment, not PERFORM, which begins a statement.
  written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
  IF NOT nothing_to_do OR to_regclass('keylift.late_keys') IS NOT NULL THEN
    <<copies>>
    DECLARE
      -- Copies: a parameter takes the collation of its argument.
      ids CONSTANT bigint[] := touched_ids;
      tokens text[] COLLATE "default" := touched_tokens;
      crowded text[] COLLATE "default" := '{}';
    BEGIN
      IF nothing_to_do THEN
        NULL;
      ELSIF migration_state = 'rolling_back' THEN
        UPDATE "public"."api_keys" k
        SET "last_used_at" = t.last_used_at
        FROM "public"."account_api_keys" t
        WHERE k."id" = t.id AND t.origin_api_id IS NOT NULL AND t.id = ANY (copies.ids)
          AND t.last_used_at IS NOT NULL
          AND (k."last_used_at" IS NULL OR k."last_used_at" < t.last_used_at)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        DELETE FROM "public"."account_api_keys" t
        WHERE t.origin_api_id IS NOT NULL AND t.id = ANY (copies.ids)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        -- A row that left its group must not follow the account key of that group.
        DELETE FROM keylift.outcomes x
        USING "public"."api_keys" k
        WHERE x.key_id = ANY (copies.ids) AND x.outcome = 'merge' AND k."id" = x.key_id
          AND NOT EXISTS (
            SELECT
            FROM
              "public"."api_keys" k
              LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
              LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
              JOIN "public"."account_api_keys" t ON t.token = k."token" AND t.account_id = k."account_id"
            WHERE k."id" = x.key_id AND t.id = x.account_key_id AND ((a.kind = 'store') IS TRUE)
          );
      ELSIF cardinality(copies.ids) + cardinality(copies.tokens) <= 200 THEN
        IF by_trigger AND cardinality(copies.ids) = 1 THEN
          copies.crowded := keylift.crowded_tokens(copies.ids[1], copies.tokens);
          IF cardinality(copies.crowded) > 0 THEN
            copies.tokens := ARRAY(
              SELECT given.token FROM unnest(copies.tokens) AS given (token)
              WHERE given.token <> ALL (copies.crowded)
            );
          END IF;
        END IF;
        PERFORM keylift.settle_few(copies.ids, copies.tokens, own.mirror_on, copies.crowded);
      ELSE
        PERFORM keylift.settle_many(copies.ids, copies.tokens, own.mirror_on);
      END IF;
      IF to_regclass('keylift.late_keys') IS NOT NULL THEN
        INSERT INTO keylift.late_keys (key_id)
        SELECT unnest(copies.ids)
        UNION
        SELECT k."id"
        FROM
          unnest(copies.tokens) AS given (token)
          JOIN "public"."api_keys" k ON k."token" = given.token;
      END IF;
    END;
  END IF;
  written := set_config('keylift.writer', writer_before, true);
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.settle(bigint[], text[], boolean)'::regprocedure);

-- step 06_settle: function keylift.settle_few
CREATE FUNCTION keylift.settle_few(touched_ids bigint[], touched_tokens text[], locks boolean,
                                   crowded_tokens text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Settles up to 200 ids and tokens, with plans that are kept between calls.
-- It locks the rows that share a token with the caller's, applies the rules to all of them, and then makes account
--       keys, outcomes and overlaps what the verdicts say. If another session got in between, it looks again.
--       Of a crowded token it decides the caller's rows alone.
#variable_conflict use_column
<<own>>
DECLARE
  verdicts keylift.verdict[];
  deleted keylift.verdict[] := '{}'; -- last use of account keys that were deleted here
  concerned bigint[];
  leaving bigint[];
  joined boolean;
  some_do_not_move boolean; -- does any verdict say something else than move?
  moving bigint;
  moved bigint; -- how many of the moving keys have their account key
  path text;
  changes text[]; -- assignments of the columns in which an account key differs
  retokened boolean; -- does any of these have another token?
BEGIN
  FOR attempt IN 1..10 LOOP
    -- A session that changes another row of the same token, or adds one, comes before this one or after it. Until the
    -- mirror is on no lock is taken: such a session brings an entry of the change log.
    IF locks THEN
      PERFORM
      FROM
        unnest(settle_few.touched_tokens) AS given (token)
        JOIN "public"."api_keys" k ON k."token" = given.token
      WHERE k."id" <> ALL (settle_few.touched_ids)
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k;
    END IF;
    IF locks AND NOT FOUND AND cardinality(touched_ids) = 1 AND attempt = 1 THEN
      concerned := touched_ids;
    ELSE
      SELECT array_agg(DISTINCT id)
      INTO concerned
      FROM (
        SELECT unnest(settle_few.touched_ids) AS id
        UNION ALL
        SELECT k."id"
        FROM
          unnest(settle_few.touched_tokens) AS given (token)
          JOIN "public"."api_keys" k ON k."token" = given.token
        UNION ALL
        -- An account key that outlived its row and its API gives its token to a row of the same account. One whose row
        -- is in the archive has its API, and is none of this.
        SELECT t.id
        FROM "public"."account_api_keys" t
        WHERE t.token = ANY (settle_few.touched_tokens)
          AND (
                t.origin_api_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
              )
      ) c;
    END IF;
    -- Statements that have nothing to do are not begun: beginning one is most of what a mirrored write costs.
    IF cardinality(concerned) = 1 THEN
      SELECT
        array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
        coalesce(bool_or(outcome <> 'move'), false),
        count(*) FILTER (WHERE outcome = 'move'),
        EXISTS (
          SELECT
          FROM
            unnest(settle_few.touched_tokens) AS given (token)
            JOIN "public"."api_keys" k ON k."token" = given.token
          WHERE k."id" <> own.concerned[1]
        )
      INTO verdicts, some_do_not_move, moving, joined
      FROM (
        SELECT key_id, account_id, alive, token,
          CASE
            WHEN own_reason = 'stay' THEN 'stay'
            WHEN own_reason IS NOT NULL THEN 'exception'
            WHEN held THEN 'hold'
            WHEN several_accounts OR taken_by_native_key OR several_lives THEN 'exception'
            WHEN key_id = first_key THEN 'move'
            ELSE 'merge'
          END AS outcome,
          CASE
            WHEN own_reason = 'stay' THEN NULL
            WHEN own_reason IS NOT NULL THEN own_reason
            WHEN held THEN NULL
            WHEN several_accounts OR taken_by_native_key THEN 'shared_token'
            WHEN several_lives THEN 'conflicting_status'
          END AS reason,
          CASE WHEN own_reason IS NULL THEN first_key END AS account_key_id,
          group_last_used_at AS last_used_at
        FROM (
          SELECT *, named_by_hold AS held, false AS several_accounts, false AS several_lives,
            key_id AS first_key, last_used_at AS group_last_used_at
          FROM (
            SELECT
              k."id" AS key_id, k."account_id" AS account_id, k."token" AS token,
              k."created_at" AS created_at, k."last_used_at" AS last_used_at,
              (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
              CASE
                WHEN (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
                  THEN coalesce((k."expires_at")::text, 'never')
                ELSE 'dead'
              END AS life,
              (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS named_by_hold,
              (EXISTS (
                SELECT FROM "public"."account_api_keys" b
                WHERE b.token = k."token"
                  AND (
                    b.origin_api_id IS NULL
                    OR b.account_id IS DISTINCT FROM k."account_id"
                      AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                      AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                    OR b.id <> k."id"
                      AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                      AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                      AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
                  )
              ) OR k."token" = ANY (settle_few.crowded_tokens)) AS taken_by_native_key,
              CASE WHEN (a."id" IS NULL AND EXISTS (
                           SELECT FROM "public"."account_api_keys" b
                           WHERE b.id = k."id" AND b.origin_api_id = k."api_id"
                         )) IS NOT TRUE THEN
                CASE
                  WHEN a."id" IS NULL THEN 'missing_api'
                  WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                  WHEN o."id" IS NULL THEN 'missing_account'
                  WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                  WHEN k."created_at" IS NULL THEN 'missing_created_at'
                END
              END AS own_reason
            FROM
              "public"."api_keys" k
              LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
              LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
            WHERE true
              AND k."id" = own.concerned[1]
            OFFSET 0 -- as windows do, this keeps PostgreSQL from evaluating an expression once for each use
          ) candidate
        ) compared
      ) verdict
      WHERE outcome <> 'stay';
      CONTINUE WHEN joined; -- a row of the token was committed after the ids were read
    ELSE
      SELECT
        array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
        coalesce(bool_or(outcome <> 'move'), false),
        count(*) FILTER (WHERE outcome = 'move'),
        false
      INTO verdicts, some_do_not_move, moving, joined
      FROM (
        SELECT key_id, account_id, alive, token,
          CASE
            WHEN own_reason = 'stay' THEN 'stay'
            WHEN own_reason IS NOT NULL THEN 'exception'
            WHEN held THEN 'hold'
            WHEN several_accounts OR taken_by_native_key OR several_lives THEN 'exception'
            WHEN key_id = first_key THEN 'move'
            ELSE 'merge'
          END AS outcome,
          CASE
            WHEN own_reason = 'stay' THEN NULL
            WHEN own_reason IS NOT NULL THEN own_reason
            WHEN held THEN NULL
            WHEN several_accounts OR taken_by_native_key THEN 'shared_token'
            WHEN several_lives THEN 'conflicting_status'
          END AS reason,
          CASE WHEN own_reason IS NULL THEN first_key END AS account_key_id,
          group_last_used_at AS last_used_at
        FROM (
          SELECT *,
            bool_or(account_id IS DISTINCT FROM first_account) OVER same_token AS several_accounts,
            bool_or(life IS DISTINCT FROM first_life) OVER same_token AS several_lives
          FROM (
            SELECT *,
              bool_or(named_by_hold) OVER (PARTITION BY token, account_id) AS held,
              first_value(key_id) OVER earliest AS first_key,
              first_value(account_id) OVER earliest AS first_account,
              first_value(life) OVER earliest AS first_life,
              max(last_used_at) OVER (PARTITION BY token, may_move) AS group_last_used_at
            FROM (
              SELECT *, own_reason IS NULL AS may_move
              FROM (
                SELECT
                  k."id" AS key_id, k."account_id" AS account_id, k."token" AS token,
                  k."created_at" AS created_at, k."last_used_at" AS last_used_at,
                  (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
                  CASE
                    WHEN (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
                      THEN coalesce((k."expires_at")::text, 'never')
                    ELSE 'dead'
                  END AS life,
                  (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                    OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS named_by_hold,
                  (EXISTS (
                    SELECT FROM "public"."account_api_keys" b
                    WHERE b.token = k."token"
                      AND (
                        b.origin_api_id IS NULL
                        OR b.account_id IS DISTINCT FROM k."account_id"
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                          AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                        OR b.id <> k."id"
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                          AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                          AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
                      )
                  ) OR k."token" = ANY (settle_few.crowded_tokens)) AS taken_by_native_key,
                  CASE WHEN (a."id" IS NULL AND EXISTS (
                               SELECT FROM "public"."account_api_keys" b
                               WHERE b.id = k."id" AND b.origin_api_id = k."api_id"
                             )) IS NOT TRUE THEN
                    CASE
                      WHEN a."id" IS NULL THEN 'missing_api'
                      WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                      WHEN o."id" IS NULL THEN 'missing_account'
                      WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                      WHEN k."created_at" IS NULL THEN 'missing_created_at'
                    END
                  END AS own_reason
                FROM
                  "public"."api_keys" k
                  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
                  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
                WHERE true
                  AND k."id" IN (
                        SELECT unnest(settle_few.touched_ids)
                        UNION
                        SELECT k."id"
                        FROM
                          unnest(settle_few.touched_tokens) AS given (token)
                          JOIN "public"."api_keys" k ON k."token" = given.token
                      )
              ) candidate
            ) candidate
            WINDOW earliest AS (PARTITION BY token, may_move ORDER BY created_at, key_id)
          ) grouped
          WINDOW same_token AS (PARTITION BY token, may_move)
        ) compared
      ) verdict
      WHERE outcome <> 'stay';
    END IF;

    -- A key that does not move loses its account key. So does, for an instant, a key whose token another one takes over
    -- in this statement. The ids are looked up one by one first: most often there is none, and a DELETE over many ids
    -- may read the whole table to find that out.
    IF moving = 1 AND cardinality(concerned) = 1 THEN
      leaving := NULL;
    ELSE
      SELECT array_agg(t.id)
      INTO leaving
      FROM unnest(own.concerned) AS c (id),
        LATERAL (SELECT * FROM "public"."account_api_keys" t WHERE t.id = c.id LIMIT 1) t
      WHERE t.origin_api_id IS NOT NULL
            AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
            AND (
              t.id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              AND NOT (
                        t.origin_api_id IS NOT NULL
                        AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                        AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
                      )
              OR t.token IN (SELECT v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
            );
    END IF;
    IF leaving IS NOT NULL THEN
      WITH gone AS (
        DELETE FROM "public"."account_api_keys" t
        WHERE t.id = ANY (own.leaving)
          AND t.origin_api_id IS NOT NULL
              AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              AND (
                t.id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
                AND NOT (
                          t.origin_api_id IS NOT NULL
                          AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
                        )
                OR t.token IN (SELECT v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              )
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        RETURNING t.id, t.token, t.last_used_at
      )
      SELECT own.deleted
        || coalesce(array_agg(ROW(id, NULL, NULL, NULL, token, last_used_at)::keylift.verdict), '{}')
      INTO deleted
      FROM gone
      WHERE last_used_at IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    -- The last use of a deleted account key goes to its per-API row.
    IF cardinality(deleted) > 0 THEN
      UPDATE "public"."api_keys" k
      SET "last_used_at" = g.last_used_at
      FROM unnest(own.deleted) g
      WHERE k."id" = g.key_id
        AND (k."last_used_at" IS NULL OR k."last_used_at" < g.last_used_at)
        AND (
              SELECT set_config(
                'search_path',
                coalesce(
                  nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                ),
                true)
            ) IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    -- A key in keylift.overlaps has a row in keylift.outcomes: the overlap goes before the outcome, or with it.
    IF EXISTS (SELECT FROM unnest(own.concerned) AS c (id) JOIN keylift.outcomes x ON x.key_id = c.id) THEN
      WITH apart AS (
        DELETE FROM keylift.overlaps p
        USING unnest(own.concerned) AS c (id)
        WHERE p.key_id = c.id
          AND p.key_id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome IN ('exception', 'hold'))
      )
      DELETE FROM keylift.outcomes x
      USING unnest(own.concerned) AS c (id)
      WHERE x.key_id = c.id
        AND x.key_id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome <> 'move');
    END IF;
    IF verdicts IS NULL THEN RETURN; END IF;

    IF some_do_not_move THEN
      INSERT INTO keylift.outcomes AS x (
        key_id, outcome, reason, account_key_id, group_key_id, source, opened_api_id, opened_since)
      SELECT v.key_id, v.outcome, v.reason,
        CASE WHEN v.outcome = 'merge' THEN v.account_key_id END,
        v.account_key_id,
        CASE WHEN v.outcome = 'merge' THEN row_to_json(k) END,
        CASE WHEN v.outcome = 'merge' THEN k."api_id" END,
        CASE WHEN v.outcome = 'merge' THEN k."created_at" END
      FROM unnest(own.verdicts) v JOIN "public"."api_keys" k ON k."id" = v.key_id
      WHERE v.outcome <> 'move'
      ON CONFLICT (key_id) DO UPDATE
      SET outcome = excluded.outcome, reason = excluded.reason, account_key_id = excluded.account_key_id,
        group_key_id = excluded.group_key_id,
        source = excluded.source, opened_api_id = excluded.opened_api_id, opened_since = excluded.opened_since,
        settled_at = clock_timestamp()
      WHERE record_image_ne(
        ROW(x.outcome, x.reason, x.account_key_id, x.group_key_id, x.source),
        ROW(excluded.outcome, excluded.reason, excluded.account_key_id, excluded.group_key_id, excluded.source));
    END IF;

    SELECT count(*), coalesce(bool_or(t.token <> v.token), false),
      nullif(array_remove(ARRAY[
        CASE WHEN bool_or(record_image_ne(ROW(t.account_id), ROW(k."account_id")))
          THEN 'account_id = k."account_id"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.name), ROW(k."name")))
          THEN 'name = k."name"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.token), ROW(k."token")))
          THEN 'token = k."token"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.origin_api_id), ROW(k."api_id")))
          THEN 'origin_api_id = k."api_id"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.created_at), ROW(k."created_at")))
          THEN 'created_at = k."created_at"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.revoked_at), ROW(k."revoked_at")))
          THEN 'revoked_at = k."revoked_at"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.expires_at), ROW(k."expires_at")))
          THEN 'expires_at = k."expires_at"' END,
        CASE WHEN bool_or(t.last_used_at < v.last_used_at OR t.last_used_at IS NULL AND v.last_used_at IS NOT NULL)
          THEN 'last_used_at = greatest(t.last_used_at, v.last_used_at)' END
      ], NULL), '{}')
    INTO moved, retokened, changes
    FROM
      unnest(own.verdicts) v
      JOIN "public"."api_keys" k ON k."id" = v.key_id
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
      JOIN "public"."account_api_keys" t ON t.id = v.key_id AND t.origin_api_id IS NOT NULL
    WHERE v.outcome = 'move';
    IF retokened THEN
      BEGIN
        EXECUTE format(
          $statement$
            UPDATE "public"."account_api_keys" t
            SET %s
            FROM
              unnest($1) v
              JOIN "public"."api_keys" k ON k."id" = v.key_id
              LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
              LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
            WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
              AND record_image_ne(
                ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at,
                    t.expires_at),
                ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
                    k."expires_at"))
              AND (
                    SELECT set_config(
                      'search_path',
                      coalesce(
                        nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                      ),
                      true)
                  ) IS NOT NULL
          $statement$,
          array_to_string(changes, ', '))
          -- Without the tokens: a plan that the server logs names what it is given.
          USING ARRAY(
            SELECT ROW(v.key_id, v.outcome, NULL, NULL, NULL, v.last_used_at)::keylift.verdict
            FROM unnest(own.verdicts) v
            WHERE v.outcome = 'move'
          );
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      EXCEPTION WHEN unique_violation THEN
        -- Another session just wrote a row with this token; with a new snapshot the rules see it.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
          RAISE EXCEPTION 'could not serialize access due to a token written meanwhile'
            USING ERRCODE = 'serialization_failure';
        END IF;
        CONTINUE;
      END;
    ELSIF changes IS NOT NULL THEN
      EXECUTE format(
        $statement$
          UPDATE "public"."account_api_keys" t
          SET %s
          FROM
            unnest($1) v
            JOIN "public"."api_keys" k ON k."id" = v.key_id
            LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
            LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
          WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
            AND record_image_ne(
              ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at,
                  t.expires_at),
              ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
                  k."expires_at"))
            AND (
                  SELECT set_config(
                    'search_path',
                    coalesce(
                      nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                    ),
                    true)
                ) IS NOT NULL
        $statement$,
        array_to_string(changes, ', '))
        -- Without the tokens: a plan that the server logs names what it is given.
        USING ARRAY(
          SELECT ROW(v.key_id, v.outcome, NULL, NULL, NULL, v.last_used_at)::keylift.verdict
          FROM unnest(own.verdicts) v
          WHERE v.outcome = 'move'
        );
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    IF moved < moving THEN
      IF cardinality(deleted) = 0 THEN
        INSERT INTO "public"."account_api_keys"
          (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
           last_used_at)
        SELECT v.key_id, k."account_id", k."name", k."token", k."api_id", k."created_at",
               k."revoked_at", k."expires_at", v.last_used_at
        FROM
          unnest(own.verdicts) v
          JOIN "public"."api_keys" k ON k."id" = v.key_id
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
        WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        ON CONFLICT DO NOTHING;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      ELSE
        INSERT INTO "public"."account_api_keys"
          (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
           last_used_at)
        SELECT v.key_id, k."account_id", k."name", k."token", k."api_id", k."created_at",
               k."revoked_at", k."expires_at",
               greatest(v.last_used_at, g.last_used_at, h.last_used_at)
        FROM
          unnest(own.verdicts) v
          JOIN "public"."api_keys" k ON k."id" = v.key_id
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
          LEFT JOIN (
            SELECT g.key_id, max(g.last_used_at) AS last_used_at
            FROM unnest(own.deleted) g
            GROUP BY 1
          ) g ON g.key_id = v.key_id
          LEFT JOIN (
            SELECT h.token, max(h.last_used_at) AS last_used_at
            FROM unnest(own.deleted) h
            WHERE NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = h.key_id)
            GROUP BY 1
          ) h ON h.token = v.token
        WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        ON CONFLICT DO NOTHING;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      END IF;
    END IF;

    -- A row that another session just wrote can have kept ours out; with a new snapshot the rules see it. An account
    -- key can also have gone with its account, where the per-API row changed its account meanwhile.
    IF NOT EXISTS (
      SELECT FROM unnest(own.verdicts) v
      WHERE v.outcome = 'move'
        AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id AND t.origin_api_id IS NOT NULL)
    ) THEN
      -- keylift.overlaps has a row for each key, not for each token: no writer waits for another one.
      IF some_do_not_move AND EXISTS (SELECT FROM unnest(own.verdicts) v WHERE v.outcome IN ('exception', 'hold')) THEN
        IF EXISTS (SELECT FROM unnest(own.verdicts) v JOIN keylift.overlaps p ON p.key_id = v.key_id) THEN
          DELETE FROM keylift.overlaps p
          USING unnest(own.verdicts) v
          WHERE p.key_id = v.key_id AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.token = v.token);
        END IF;
        INSERT INTO keylift.overlaps (key_id)
        SELECT v.key_id
        FROM unnest(own.verdicts) v
        WHERE v.outcome IN ('exception', 'hold')
          AND (
            v.token IN (SELECT m.token FROM unnest(own.verdicts) m WHERE m.outcome = 'move')
            OR EXISTS (
              SELECT FROM "public"."account_api_keys" b
              WHERE b.token = v.token AND (b.origin_api_id IS NULL OR b.id <> v.key_id)
            )
          )
        ON CONFLICT DO NOTHING;
      END IF;
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION
    'keylift cannot give an account key to a per-API key: its id or its token belongs to a key made in Settings'
    USING ERRCODE = 'unique_violation';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.settle_few(bigint[], text[], boolean, text[])'::regprocedure);

-- step 06_settle: function keylift.settle_many
CREATE FUNCTION keylift.settle_many(touched_ids bigint[], touched_tokens text[], locks boolean,
                                    crowded_tokens text[] DEFAULT '{}')
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = on
SET jit = off
SET plan_cache_mode = force_custom_plan
SET random_page_cost = 1.1
AS $body$
-- Settles any number of ids and tokens, with plans made for their number.
-- It locks the rows that share a token with the caller's, applies the rules to all of them, and then makes account
--       keys, outcomes and overlaps what the verdicts say. If another session got in between, it looks again.
--       Of a crowded token it decides the caller's rows alone.
#variable_conflict use_column
<<own>>
DECLARE
  verdicts keylift.verdict[];
  deleted keylift.verdict[] := '{}'; -- last use of account keys that were deleted here
  concerned bigint[];
  leaving bigint[];
  joined boolean;
  some_do_not_move boolean; -- does any verdict say something else than move?
  moving bigint;
  moved bigint; -- how many of the moving keys have their account key
  path text;
  changes text[]; -- assignments of the columns in which an account key differs
  retokened boolean; -- does any of these have another token?
BEGIN
  FOR attempt IN 1..10 LOOP
    -- A session that changes another row of the same token, or adds one, comes before this one or after it. Until the
    -- mirror is on no lock is taken: such a session brings an entry of the change log.
    IF locks THEN
      PERFORM
      FROM
        unnest(settle_many.touched_tokens) AS given (token)
        JOIN "public"."api_keys" k ON k."token" = given.token
      WHERE NOT EXISTS (SELECT FROM unnest(settle_many.touched_ids) AS own (id) WHERE own.id = k."id")
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k;
    END IF;
    IF locks AND NOT FOUND AND cardinality(touched_ids) = 1 AND attempt = 1 THEN
      concerned := touched_ids;
    ELSE
      SELECT array_agg(DISTINCT id)
      INTO concerned
      FROM (
        SELECT unnest(settle_many.touched_ids) AS id
        UNION ALL
        SELECT k."id"
        FROM
          unnest(settle_many.touched_tokens) AS given (token)
          JOIN "public"."api_keys" k ON k."token" = given.token
        UNION ALL
        -- An account key that outlived its row and its API gives its token to a row of the same account. One whose row
        -- is in the archive has its API, and is none of this.
        SELECT t.id
        FROM "public"."account_api_keys" t
        WHERE t.token = ANY (settle_many.touched_tokens)
          AND (
                t.origin_api_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
              )
      ) c;
    END IF;
    -- Statements that have nothing to do are not begun: beginning one is most of what a mirrored write costs.
    IF cardinality(concerned) = 1 THEN
      SELECT
        array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
        coalesce(bool_or(outcome <> 'move'), false),
        count(*) FILTER (WHERE outcome = 'move'),
        EXISTS (
          SELECT
          FROM
            unnest(settle_many.touched_tokens) AS given (token)
            JOIN "public"."api_keys" k ON k."token" = given.token
          WHERE k."id" <> own.concerned[1]
        )
      INTO verdicts, some_do_not_move, moving, joined
      FROM (
        SELECT key_id, account_id, alive, token,
          CASE
            WHEN own_reason = 'stay' THEN 'stay'
            WHEN own_reason IS NOT NULL THEN 'exception'
            WHEN held THEN 'hold'
            WHEN several_accounts OR taken_by_native_key OR several_lives THEN 'exception'
            WHEN key_id = first_key THEN 'move'
            ELSE 'merge'
          END AS outcome,
          CASE
            WHEN own_reason = 'stay' THEN NULL
            WHEN own_reason IS NOT NULL THEN own_reason
            WHEN held THEN NULL
            WHEN several_accounts OR taken_by_native_key THEN 'shared_token'
            WHEN several_lives THEN 'conflicting_status'
          END AS reason,
          CASE WHEN own_reason IS NULL THEN first_key END AS account_key_id,
          group_last_used_at AS last_used_at
        FROM (
          SELECT *, named_by_hold AS held, false AS several_accounts, false AS several_lives,
            key_id AS first_key, last_used_at AS group_last_used_at
          FROM (
            SELECT
              k."id" AS key_id, k."account_id" AS account_id, k."token" AS token,
              k."created_at" AS created_at, k."last_used_at" AS last_used_at,
              (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
              CASE
                WHEN (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
                  THEN coalesce((k."expires_at")::text, 'never')
                ELSE 'dead'
              END AS life,
              (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS named_by_hold,
              (EXISTS (
                SELECT FROM "public"."account_api_keys" b
                WHERE b.token = k."token"
                  AND (
                    b.origin_api_id IS NULL
                    OR b.account_id IS DISTINCT FROM k."account_id"
                      AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                      AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                    OR b.id <> k."id"
                      AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                      AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                      AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
                  )
              ) OR k."token" = ANY (settle_many.crowded_tokens)) AS taken_by_native_key,
              CASE WHEN (a."id" IS NULL AND EXISTS (
                           SELECT FROM "public"."account_api_keys" b
                           WHERE b.id = k."id" AND b.origin_api_id = k."api_id"
                         )) IS NOT TRUE THEN
                CASE
                  WHEN a."id" IS NULL THEN 'missing_api'
                  WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                  WHEN o."id" IS NULL THEN 'missing_account'
                  WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                  WHEN k."created_at" IS NULL THEN 'missing_created_at'
                END
              END AS own_reason
            FROM
              "public"."api_keys" k
              LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
              LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
            WHERE true
              AND k."id" = own.concerned[1]
            OFFSET 0 -- as windows do, this keeps PostgreSQL from evaluating an expression once for each use
          ) candidate
        ) compared
      ) verdict
      WHERE outcome <> 'stay';
      CONTINUE WHEN joined; -- a row of the token was committed after the ids were read
    ELSE
      SELECT
        array_agg(ROW(key_id, outcome, reason, account_key_id, token, last_used_at)::keylift.verdict),
        coalesce(bool_or(outcome <> 'move'), false),
        count(*) FILTER (WHERE outcome = 'move'),
        false
      INTO verdicts, some_do_not_move, moving, joined
      FROM (
        SELECT key_id, account_id, alive, token,
          CASE
            WHEN own_reason = 'stay' THEN 'stay'
            WHEN own_reason IS NOT NULL THEN 'exception'
            WHEN held THEN 'hold'
            WHEN several_accounts OR taken_by_native_key OR several_lives THEN 'exception'
            WHEN key_id = first_key THEN 'move'
            ELSE 'merge'
          END AS outcome,
          CASE
            WHEN own_reason = 'stay' THEN NULL
            WHEN own_reason IS NOT NULL THEN own_reason
            WHEN held THEN NULL
            WHEN several_accounts OR taken_by_native_key THEN 'shared_token'
            WHEN several_lives THEN 'conflicting_status'
          END AS reason,
          CASE WHEN own_reason IS NULL THEN first_key END AS account_key_id,
          group_last_used_at AS last_used_at
        FROM (
          SELECT *,
            bool_or(account_id IS DISTINCT FROM first_account) OVER same_token AS several_accounts,
            bool_or(life IS DISTINCT FROM first_life) OVER same_token AS several_lives
          FROM (
            SELECT *,
              bool_or(named_by_hold) OVER (PARTITION BY token, account_id) AS held,
              first_value(key_id) OVER earliest AS first_key,
              first_value(account_id) OVER earliest AS first_account,
              first_value(life) OVER earliest AS first_life,
              max(last_used_at) OVER (PARTITION BY token, may_move) AS group_last_used_at
            FROM (
              SELECT *, own_reason IS NULL AS may_move
              FROM (
                SELECT
                  k."id" AS key_id, k."account_id" AS account_id, k."token" AS token,
                  k."created_at" AS created_at, k."last_used_at" AS last_used_at,
                  (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())) AS alive,
                  CASE
                    WHEN (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
                      THEN coalesce((k."expires_at")::text, 'never')
                    ELSE 'dead'
                  END AS life,
                  (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
                    OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AS named_by_hold,
                  (EXISTS (
                    SELECT FROM "public"."account_api_keys" b
                    WHERE b.token = k."token"
                      AND (
                        b.origin_api_id IS NULL
                        OR b.account_id IS DISTINCT FROM k."account_id"
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                          AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                        OR b.id <> k."id"
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                          AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                          AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
                      )
                  ) OR k."token" = ANY (settle_many.crowded_tokens)) AS taken_by_native_key,
                  CASE WHEN (a."id" IS NULL AND EXISTS (
                               SELECT FROM "public"."account_api_keys" b
                               WHERE b.id = k."id" AND b.origin_api_id = k."api_id"
                             )) IS NOT TRUE THEN
                    CASE
                      WHEN a."id" IS NULL THEN 'missing_api'
                      WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                      WHEN o."id" IS NULL THEN 'missing_account'
                      WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                      WHEN k."created_at" IS NULL THEN 'missing_created_at'
                    END
                  END AS own_reason
                FROM
                  "public"."api_keys" k
                  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
                  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
                WHERE true
                  AND k."id" IN (
                        SELECT unnest(settle_many.touched_ids)
                        UNION
                        SELECT k."id"
                        FROM
                          unnest(settle_many.touched_tokens) AS given (token)
                          JOIN "public"."api_keys" k ON k."token" = given.token
                      )
              ) candidate
            ) candidate
            WINDOW earliest AS (PARTITION BY token, may_move ORDER BY created_at, key_id)
          ) grouped
          WINDOW same_token AS (PARTITION BY token, may_move)
        ) compared
      ) verdict
      WHERE outcome <> 'stay';
    END IF;

    -- A key that does not move loses its account key. So does, for an instant, a key whose token another one takes over
    -- in this statement. The ids are looked up one by one first: most often there is none, and a DELETE over many ids
    -- may read the whole table to find that out.
    IF moving = 1 AND cardinality(concerned) = 1 THEN
      leaving := NULL;
    ELSE
      SELECT array_agg(t.id)
      INTO leaving
      FROM unnest(own.concerned) AS c (id),
        LATERAL (SELECT * FROM "public"."account_api_keys" t WHERE t.id = c.id LIMIT 1) t
      WHERE t.origin_api_id IS NOT NULL
            AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
            AND (
              t.id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              AND NOT (
                        t.origin_api_id IS NOT NULL
                        AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                        AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
                      )
              OR t.token IN (SELECT v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
            );
    END IF;
    IF leaving IS NOT NULL THEN
      WITH gone AS (
        DELETE FROM "public"."account_api_keys" t
        WHERE t.id = ANY (own.leaving)
          AND t.origin_api_id IS NOT NULL
              AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              AND (
                t.id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
                AND NOT (
                          t.origin_api_id IS NOT NULL
                          AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
                          AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
                        )
                OR t.token IN (SELECT v.token FROM unnest(own.verdicts) v WHERE v.outcome = 'move')
              )
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        RETURNING t.id, t.token, t.last_used_at
      )
      SELECT own.deleted
        || coalesce(array_agg(ROW(id, NULL, NULL, NULL, token, last_used_at)::keylift.verdict), '{}')
      INTO deleted
      FROM gone
      WHERE last_used_at IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    -- The last use of a deleted account key goes to its per-API row.
    IF cardinality(deleted) > 0 THEN
      UPDATE "public"."api_keys" k
      SET "last_used_at" = g.last_used_at
      FROM unnest(own.deleted) g
      WHERE k."id" = g.key_id
        AND (k."last_used_at" IS NULL OR k."last_used_at" < g.last_used_at)
        AND (
              SELECT set_config(
                'search_path',
                coalesce(
                  nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                ),
                true)
            ) IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    -- A key in keylift.overlaps has a row in keylift.outcomes: the overlap goes before the outcome, or with it.
    IF EXISTS (SELECT FROM unnest(own.concerned) AS c (id) JOIN keylift.outcomes x ON x.key_id = c.id) THEN
      WITH apart AS (
        DELETE FROM keylift.overlaps p
        USING unnest(own.concerned) AS c (id)
        WHERE p.key_id = c.id
          AND p.key_id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome IN ('exception', 'hold'))
      )
      DELETE FROM keylift.outcomes x
      USING unnest(own.concerned) AS c (id)
      WHERE x.key_id = c.id
        AND x.key_id NOT IN (SELECT v.key_id FROM unnest(own.verdicts) v WHERE v.outcome <> 'move');
    END IF;
    IF verdicts IS NULL THEN RETURN; END IF;

    IF some_do_not_move THEN
      INSERT INTO keylift.outcomes AS x (
        key_id, outcome, reason, account_key_id, group_key_id, source, opened_api_id, opened_since)
      SELECT v.key_id, v.outcome, v.reason,
        CASE WHEN v.outcome = 'merge' THEN v.account_key_id END,
        v.account_key_id,
        CASE WHEN v.outcome = 'merge' THEN row_to_json(k) END,
        CASE WHEN v.outcome = 'merge' THEN k."api_id" END,
        CASE WHEN v.outcome = 'merge' THEN k."created_at" END
      FROM unnest(own.verdicts) v JOIN "public"."api_keys" k ON k."id" = v.key_id
      WHERE v.outcome <> 'move'
      ON CONFLICT (key_id) DO UPDATE
      SET outcome = excluded.outcome, reason = excluded.reason, account_key_id = excluded.account_key_id,
        group_key_id = excluded.group_key_id,
        source = excluded.source, opened_api_id = excluded.opened_api_id, opened_since = excluded.opened_since,
        settled_at = clock_timestamp()
      WHERE record_image_ne(
        ROW(x.outcome, x.reason, x.account_key_id, x.group_key_id, x.source),
        ROW(excluded.outcome, excluded.reason, excluded.account_key_id, excluded.group_key_id, excluded.source));
    END IF;

    SELECT count(*), coalesce(bool_or(t.token <> v.token), false),
      nullif(array_remove(ARRAY[
        CASE WHEN bool_or(record_image_ne(ROW(t.account_id), ROW(k."account_id")))
          THEN 'account_id = k."account_id"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.name), ROW(k."name")))
          THEN 'name = k."name"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.token), ROW(k."token")))
          THEN 'token = k."token"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.origin_api_id), ROW(k."api_id")))
          THEN 'origin_api_id = k."api_id"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.created_at), ROW(k."created_at")))
          THEN 'created_at = k."created_at"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.revoked_at), ROW(k."revoked_at")))
          THEN 'revoked_at = k."revoked_at"' END,
        CASE WHEN bool_or(record_image_ne(ROW(t.expires_at), ROW(k."expires_at")))
          THEN 'expires_at = k."expires_at"' END,
        CASE WHEN bool_or(t.last_used_at < v.last_used_at OR t.last_used_at IS NULL AND v.last_used_at IS NOT NULL)
          THEN 'last_used_at = greatest(t.last_used_at, v.last_used_at)' END
      ], NULL), '{}')
    INTO moved, retokened, changes
    FROM
      unnest(own.verdicts) v
      JOIN "public"."api_keys" k ON k."id" = v.key_id
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
      JOIN "public"."account_api_keys" t ON t.id = v.key_id AND t.origin_api_id IS NOT NULL
    WHERE v.outcome = 'move';
    IF retokened THEN
      BEGIN
        EXECUTE format(
          $statement$
            UPDATE "public"."account_api_keys" t
            SET %s
            FROM
              unnest($1) v
              JOIN "public"."api_keys" k ON k."id" = v.key_id
              LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
              LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
            WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
              AND record_image_ne(
                ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at,
                    t.expires_at),
                ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
                    k."expires_at"))
              AND (
                    SELECT set_config(
                      'search_path',
                      coalesce(
                        nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                      ),
                      true)
                  ) IS NOT NULL
          $statement$,
          array_to_string(changes, ', '))
          -- Without the tokens: a plan that the server logs names what it is given.
          USING ARRAY(
            SELECT ROW(v.key_id, v.outcome, NULL, NULL, NULL, v.last_used_at)::keylift.verdict
            FROM unnest(own.verdicts) v
            WHERE v.outcome = 'move'
          );
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      EXCEPTION WHEN unique_violation THEN
        -- Another session just wrote a row with this token; with a new snapshot the rules see it.
        IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
          RAISE EXCEPTION 'could not serialize access due to a token written meanwhile'
            USING ERRCODE = 'serialization_failure';
        END IF;
        CONTINUE;
      END;
    ELSIF changes IS NOT NULL THEN
      EXECUTE format(
        $statement$
          UPDATE "public"."account_api_keys" t
          SET %s
          FROM
            unnest($1) v
            JOIN "public"."api_keys" k ON k."id" = v.key_id
            LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
            LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
          WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
            AND record_image_ne(
              ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at,
                  t.expires_at),
              ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at",
                  k."expires_at"))
            AND (
                  SELECT set_config(
                    'search_path',
                    coalesce(
                      nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                    ),
                    true)
                ) IS NOT NULL
        $statement$,
        array_to_string(changes, ', '))
        -- Without the tokens: a plan that the server logs names what it is given.
        USING ARRAY(
          SELECT ROW(v.key_id, v.outcome, NULL, NULL, NULL, v.last_used_at)::keylift.verdict
          FROM unnest(own.verdicts) v
          WHERE v.outcome = 'move'
        );
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;
    IF moved < moving THEN
      IF cardinality(deleted) = 0 THEN
        INSERT INTO "public"."account_api_keys"
          (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
           last_used_at)
        SELECT v.key_id, k."account_id", k."name", k."token", k."api_id", k."created_at",
               k."revoked_at", k."expires_at", v.last_used_at
        FROM
          unnest(own.verdicts) v
          JOIN "public"."api_keys" k ON k."id" = v.key_id
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
        WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        ON CONFLICT DO NOTHING;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      ELSE
        INSERT INTO "public"."account_api_keys"
          (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
           last_used_at)
        SELECT v.key_id, k."account_id", k."name", k."token", k."api_id", k."created_at",
               k."revoked_at", k."expires_at",
               greatest(v.last_used_at, g.last_used_at, h.last_used_at)
        FROM
          unnest(own.verdicts) v
          JOIN "public"."api_keys" k ON k."id" = v.key_id
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
          LEFT JOIN (
            SELECT g.key_id, max(g.last_used_at) AS last_used_at
            FROM unnest(own.deleted) g
            GROUP BY 1
          ) g ON g.key_id = v.key_id
          LEFT JOIN (
            SELECT h.token, max(h.last_used_at) AS last_used_at
            FROM unnest(own.deleted) h
            WHERE NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = h.key_id)
            GROUP BY 1
          ) h ON h.token = v.token
        WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
        ON CONFLICT DO NOTHING;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      END IF;
    END IF;

    -- A row that another session just wrote can have kept ours out; with a new snapshot the rules see it. An account
    -- key can also have gone with its account, where the per-API row changed its account meanwhile.
    IF NOT EXISTS (
      SELECT FROM unnest(own.verdicts) v
      WHERE v.outcome = 'move'
        AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = v.key_id AND t.origin_api_id IS NOT NULL)
    ) THEN
      -- keylift.overlaps has a row for each key, not for each token: no writer waits for another one.
      IF some_do_not_move AND EXISTS (SELECT FROM unnest(own.verdicts) v WHERE v.outcome IN ('exception', 'hold')) THEN
        IF EXISTS (SELECT FROM unnest(own.verdicts) v JOIN keylift.overlaps p ON p.key_id = v.key_id) THEN
          DELETE FROM keylift.overlaps p
          USING unnest(own.verdicts) v
          WHERE p.key_id = v.key_id AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.token = v.token);
        END IF;
        INSERT INTO keylift.overlaps (key_id)
        SELECT v.key_id
        FROM unnest(own.verdicts) v
        WHERE v.outcome IN ('exception', 'hold')
          AND (
            v.token IN (SELECT m.token FROM unnest(own.verdicts) m WHERE m.outcome = 'move')
            OR EXISTS (
              SELECT FROM "public"."account_api_keys" b
              WHERE b.token = v.token AND (b.origin_api_id IS NULL OR b.id <> v.key_id)
            )
          )
        ON CONFLICT DO NOTHING;
      END IF;
      RETURN;
    END IF;
  END LOOP;
  RAISE EXCEPTION
    'keylift cannot give an account key to a per-API key: its id or its token belongs to a key made in Settings'
    USING ERRCODE = 'unique_violation';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.settle_many(bigint[], text[], boolean, text[])'::regprocedure);

-- step 06_settle: function keylift.mirror_one_insert
CREATE FUNCTION keylift.mirror_one_insert(touched_id bigint, touched_token text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Inserts the account key of one new legacy row. Returns false, and writes nothing, where the rules need to look at
-- more than this row.
#variable_conflict use_column
<<own>>
DECLARE
  -- Copies: a parameter takes the collation of its argument.
  id CONSTANT bigint := touched_id;
  token CONSTANT text COLLATE "default" := touched_token;
  writer_before CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
  written text;
  path text;
  done boolean;
BEGIN
  -- An assignment, not PERFORM, which begins a statement.
  written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
  INSERT INTO "public"."account_api_keys"
    (id, account_id, name, token, origin_api_id, created_at, revoked_at, expires_at,
     last_used_at)
  SELECT k."id", k."account_id", k."name", k."token", k."api_id", k."created_at",
         k."revoked_at", k."expires_at", k."last_used_at"
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE k."id" = own.id
    AND true
    AND (CASE
          WHEN a."id" IS NULL THEN 'missing_api'
          WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
          WHEN o."id" IS NULL THEN 'missing_account'
          WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
          WHEN k."created_at" IS NULL THEN 'missing_created_at'
        END) IS NULL AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
          OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AND NOT EXISTS (
          SELECT FROM "public"."account_api_keys" b
          WHERE b.token = k."token"
            AND (
              b.origin_api_id IS NULL
              OR b.account_id IS DISTINCT FROM k."account_id"
                AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
              OR b.id <> k."id"
                AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
            )
        )
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
    AND (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()) <> 'rolling_back'
    AND (
          SELECT set_config(
            'search_path',
            coalesce(
              nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
            ),
            true)
        ) IS NOT NULL
  ON CONFLICT DO NOTHING;
  done := FOUND;
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  written := set_config('keylift.writer', writer_before, true);
  -- While finalize archives rows, keylift.settle notes the keys that it looked at.
  RETURN done AND to_regclass('keylift.late_keys') IS NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_one_insert(bigint, text)'::regprocedure);

-- step 06_settle: function keylift.mirror_one_update
CREATE FUNCTION keylift.mirror_one_update(touched_id bigint, touched_token text, changed text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Updates the account key of one legacy row where a single column changed, one that no rule asks about. Returns
-- false, and writes nothing, where more changed or the rules need to look at more than this row.
#variable_conflict use_column
<<own>>
DECLARE
  -- Copies: a parameter takes the collation of its argument.
  id CONSTANT bigint := touched_id;
  token CONSTANT text COLLATE "default" := touched_token;
  writer_before CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
  written text;
  path text;
  done boolean;
BEGIN
  -- An assignment, not PERFORM, which begins a statement.
  written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
  IF changed = 'name' THEN
    UPDATE "public"."account_api_keys" t
    SET name = k."name"
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."id" = own.id AND t.id = own.id AND t.origin_api_id IS NOT NULL
      AND record_image_eq(
        ROW(t.account_id, t.token, t.origin_api_id, t.created_at, t.revoked_at,
            t.expires_at),
        ROW(k."account_id", k."token", k."api_id", k."created_at", k."revoked_at",
            k."expires_at"))
      AND record_image_ne(ROW(t.name), ROW(k."name"))
      AND true
      AND (CASE
            WHEN a."id" IS NULL THEN 'missing_api'
            WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
            WHEN o."id" IS NULL THEN 'missing_account'
            WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
            WHEN k."created_at" IS NULL THEN 'missing_created_at'
          END) IS NULL AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
            OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AND NOT EXISTS (
            SELECT FROM "public"."account_api_keys" b
            WHERE b.token = k."token"
              AND (
                b.origin_api_id IS NULL
                OR b.account_id IS DISTINCT FROM k."account_id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                OR b.id <> k."id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                  AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
              )
          )
      AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
      AND (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()) <> 'rolling_back'
      AND (
            SELECT set_config(
              'search_path',
              coalesce(
                nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
              ),
              true)
          ) IS NOT NULL;
  ELSIF changed = 'revoked_at' THEN
    UPDATE "public"."account_api_keys" t
    SET revoked_at = k."revoked_at"
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."id" = own.id AND t.id = own.id AND t.origin_api_id IS NOT NULL
      AND record_image_eq(
        ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.expires_at),
        ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."expires_at"))
      AND record_image_ne(ROW(t.revoked_at), ROW(k."revoked_at"))
      AND true
      AND (CASE
            WHEN a."id" IS NULL THEN 'missing_api'
            WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
            WHEN o."id" IS NULL THEN 'missing_account'
            WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
            WHEN k."created_at" IS NULL THEN 'missing_created_at'
          END) IS NULL AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
            OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AND NOT EXISTS (
            SELECT FROM "public"."account_api_keys" b
            WHERE b.token = k."token"
              AND (
                b.origin_api_id IS NULL
                OR b.account_id IS DISTINCT FROM k."account_id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                OR b.id <> k."id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                  AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
              )
          )
      AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
      AND (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()) <> 'rolling_back'
      AND (
            SELECT set_config(
              'search_path',
              coalesce(
                nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
              ),
              true)
          ) IS NOT NULL;
  ELSIF changed = 'expires_at' THEN
    UPDATE "public"."account_api_keys" t
    SET expires_at = k."expires_at"
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."id" = own.id AND t.id = own.id AND t.origin_api_id IS NOT NULL
      AND record_image_eq(
        ROW(t.account_id, t.name, t.token, t.origin_api_id, t.created_at, t.revoked_at),
        ROW(k."account_id", k."name", k."token", k."api_id", k."created_at", k."revoked_at"))
      AND record_image_ne(ROW(t.expires_at), ROW(k."expires_at"))
      AND true
      AND (CASE
            WHEN a."id" IS NULL THEN 'missing_api'
            WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
            WHEN o."id" IS NULL THEN 'missing_account'
            WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
            WHEN k."created_at" IS NULL THEN 'missing_created_at'
          END) IS NULL AND NOT (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
            OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id")) AND NOT EXISTS (
            SELECT FROM "public"."account_api_keys" b
            WHERE b.token = k."token"
              AND (
                b.origin_api_id IS NULL
                OR b.account_id IS DISTINCT FROM k."account_id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM "public"."apis" g WHERE g."id" = b.origin_api_id)
                OR b.id <> k."id"
                  AND NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = b.id)
                  AND NOT EXISTS (SELECT FROM keylift.left_keys f WHERE f.key_id = b.id)
                  AND EXISTS (SELECT FROM keylift.migration m WHERE m.state IN ('finalizing', 'restoring'))
              )
          )
      AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
      AND (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()) <> 'rolling_back'
      AND (
            SELECT set_config(
              'search_path',
              coalesce(
                nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
              ),
              true)
          ) IS NOT NULL;
  ELSE
    RETURN false;
  END IF;
  done := FOUND;
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  written := set_config('keylift.writer', writer_before, true);
  -- While finalize archives rows, keylift.settle notes the keys that it looked at.
  RETURN done AND to_regclass('keylift.late_keys') IS NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_one_update(bigint, text, text)'::regprocedure);

-- step 06_settle: function keylift.mirror_one_delete
CREATE FUNCTION keylift.mirror_one_delete(touched_id bigint, touched_token text)
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Deletes the account key of one deleted legacy row. Returns false, and writes nothing, where its API is gone, too, or
-- other rows share the token or follow the account key.
#variable_conflict use_column
<<own>>
DECLARE
  -- Copies: a parameter takes the collation of its argument.
  id CONSTANT bigint := touched_id;
  token CONSTANT text COLLATE "default" := touched_token;
  writer_before CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
  written text;
  path text;
  done boolean;
BEGIN
  -- An assignment, not PERFORM, which begins a statement.
  written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
  DELETE FROM "public"."account_api_keys" t
  WHERE t.id = own.id AND t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = own.id)
    AND EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = own.token AND k."id" <> own.id)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.account_key_id = own.id AND x.outcome = 'merge')
    AND (SELECT m.state FROM keylift.migration m WHERE m.mirror = keylift.mirror_number()) <> 'rolling_back'
    AND (
          SELECT set_config(
            'search_path',
            coalesce(
              nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
            ),
            true)
        ) IS NOT NULL;
  done := FOUND;
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  written := set_config('keylift.writer', writer_before, true);
  -- While finalize archives rows, keylift.settle notes the keys that it looked at.
  RETURN done AND to_regclass('keylift.late_keys') IS NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_one_delete(bigint, text)'::regprocedure);

-- step 06_settle: function keylift.new_table_may_refuse
CREATE FUNCTION keylift.new_table_may_refuse()
RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Has the new table a trigger, a check, a unique index or a NOT NULL that keylift did not make? Then it may refuse
-- what the legacy table took.
#variable_conflict use_column
BEGIN
  RETURN EXISTS (
    SELECT FROM pg_trigger t
    WHERE t.tgrelid = '"public"."account_api_keys"'::regclass AND NOT t.tgisinternal AND t.tgenabled <> 'D'
      AND NOT starts_with(t.tgname::text, 'keylift_')
  ) OR EXISTS (
    SELECT FROM pg_constraint c
    WHERE c.conrelid = '"public"."account_api_keys"'::regclass AND c.contype IN ('c', 'x')
      AND c.conname NOT IN ('account_api_keys_scope_check', 'account_api_keys_token_check')
  ) OR EXISTS (
    SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = '"public"."account_api_keys"'::regclass AND i.indisunique
      AND c.relname NOT IN ('account_api_keys_token_key', 'account_api_keys_token_lookup',
                            'account_api_keys_account_id_created_at', 'account_api_keys_pkey',
                            'account_api_keys_native_id', 'account_api_keys_native_token',
                            'account_api_keys_native_token_lookup')
  ) OR EXISTS (
    SELECT FROM pg_attribute a
    WHERE a.attrelid = '"public"."account_api_keys"'::regclass AND a.attnotnull AND a.attnum > 0
      AND a.attname NOT IN ('id', 'account_id', 'token', 'scope', 'created_at')
  );
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.new_table_may_refuse()'::regprocedure);

-- step 06_settle: function keylift.settle_or_except
CREATE FUNCTION keylift.settle_or_except(touched_ids bigint[], touched_tokens text[], by_trigger boolean)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Settles keys. What the new table refuses, by a trigger or a constraint of the platform, becomes an exception
-- (not_carried): the write of the legacy table goes on.
#variable_conflict use_column
<<own>>
DECLARE
  -- Copies: a parameter takes the collation of its argument.
  ids CONSTANT bigint[] := touched_ids;
  tokens CONSTANT text[] COLLATE "default" := touched_tokens;
  token_of_key text[] COLLATE "default";
  one bigint;
  writer_before CONSTANT text := coalesce(current_setting('keylift.writer', true), '');
  written text;
  path text;
BEGIN
  BEGIN
    IF keylift.settle(own.ids, own.tokens, settle_or_except.by_trigger) IS NULL THEN NULL; END IF;
    RETURN;
  EXCEPTION WHEN OTHERS THEN
    IF left(SQLSTATE, 2) IN ('25', '40', '53', '54', '55', '57', '58', 'XX') THEN RAISE; END IF;
  END;
  FOR one IN
    SELECT unnest(own.ids)
    UNION
    SELECT k."id" FROM "public"."api_keys" k WHERE k."token" = ANY (own.tokens)
    UNION
    SELECT t.id FROM "public"."account_api_keys" t WHERE t.token = ANY (own.tokens) AND t.origin_api_id IS NOT NULL
  LOOP
    BEGIN
      token_of_key := ARRAY(
        SELECT k."token" FROM "public"."api_keys" k WHERE k."id" = own.one AND (octet_length(k."token") > 0) IS TRUE
        UNION
        SELECT t.token FROM "public"."account_api_keys" t WHERE t.id = own.one
      );
      IF keylift.settle(ARRAY[own.one], own.token_of_key, settle_or_except.by_trigger) IS NULL THEN NULL; END IF;
    EXCEPTION WHEN OTHERS THEN
      IF left(SQLSTATE, 2) IN ('25', '40', '53', '54', '55', '57', '58', 'XX') THEN RAISE; END IF;
      -- An assignment, not PERFORM, which begins a statement.
      written := set_config('keylift.writer', keylift.own_write('mirror', pg_trigger_depth() + 1), true);
      DELETE FROM "public"."account_api_keys" t
      WHERE t.id = own.one AND t.origin_api_id IS NOT NULL
        AND (
              SELECT set_config(
                'search_path',
                coalesce(
                  nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                ),
                true)
            ) IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      INSERT INTO keylift.outcomes AS x (key_id, outcome, reason)
      SELECT k."id", 'exception', coalesce(CASE
                                             WHEN a."id" IS NULL THEN 'missing_api'
                                             WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
                                             WHEN o."id" IS NULL THEN 'missing_account'
                                             WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
                                             WHEN k."created_at" IS NULL THEN 'missing_created_at'
                                           END, 'not_carried')
      FROM
        "public"."api_keys" k
        LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
        LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
      WHERE true
        AND (CASE
               WHEN a."id" IS NULL THEN 'missing_api'
               WHEN NOT ((a.kind = 'store') IS TRUE) THEN 'stay'
               WHEN o."id" IS NULL THEN 'missing_account'
               WHEN NOT (octet_length(k."token") > 0) IS TRUE THEN 'missing_token'
               WHEN k."created_at" IS NULL THEN 'missing_created_at'
             END) IS DISTINCT FROM 'stay'
        AND (
          k."id" = own.one
          OR k."id" IN (
            SELECT m.key_id FROM keylift.outcomes m WHERE m.account_key_id = own.one AND m.outcome = 'merge'
          )
        )
      ON CONFLICT (key_id) DO UPDATE
      SET outcome = excluded.outcome, reason = excluded.reason, account_key_id = NULL, group_key_id = NULL,
        source = NULL, opened_api_id = NULL, opened_since = NULL, settled_at = clock_timestamp();
      DELETE FROM keylift.outcomes x
      WHERE x.key_id = own.one AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = own.one);
      INSERT INTO keylift.overlaps (key_id)
      SELECT x.key_id
      FROM keylift.outcomes x
        JOIN "public"."api_keys" k ON k."id" = x.key_id
        JOIN "public"."account_api_keys" b ON b.token = k."token"
      WHERE x.key_id = own.one
      ON CONFLICT DO NOTHING;
      written := set_config('keylift.writer', writer_before, true);
    END;
  END LOOP;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.settle_or_except(bigint[], text[], boolean)'::regprocedure);

-- step 06_settle: function keylift.settle_ids
CREATE FUNCTION keylift.settle_ids(touched bigint[])
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Settles the keys with these ids, and all that were or are decided together with them: rows of the same token, of the
-- token that the account key still has, and of the duplicates that the ledger knows. Once the mirror is on it locks
-- the rows first: settle takes them for its caller's own.
#variable_conflict use_column
<<own>>
DECLARE
  ids bigint[];
  tokens text[];
BEGIN
  SELECT array_agg(DISTINCT grouped.id)
  INTO own.ids
  FROM (
    SELECT unnest(settle_ids.touched) AS id
    UNION ALL
    SELECT x.key_id
    FROM keylift.outcomes x
    WHERE x.group_key_id = ANY (settle_ids.touched)
      OR x.group_key_id IN (
        SELECT y.group_key_id FROM keylift.outcomes y WHERE y.key_id = ANY (settle_ids.touched)
      )
    UNION ALL
    SELECT y.group_key_id FROM keylift.outcomes y
    WHERE y.key_id = ANY (settle_ids.touched) AND y.group_key_id IS NOT NULL
  ) grouped;
  IF own.ids IS NULL THEN RETURN; END IF;
  IF (SELECT m.mirror_on FROM keylift.migration m) THEN
    PERFORM FROM "public"."api_keys" k WHERE k."id" = ANY (own.ids) ORDER BY k."id" FOR NO KEY UPDATE OF k;
  END IF;
  SELECT array_agg(DISTINCT held.token) FILTER (WHERE length(held.token) > 0)
  INTO own.tokens
  FROM (
    SELECT k."token" AS token FROM "public"."api_keys" k WHERE k."id" = ANY (own.ids)
    UNION ALL
    SELECT t.token FROM "public"."account_api_keys" t WHERE t.id = ANY (own.ids)
  ) held;
  IF keylift.new_table_may_refuse() THEN
    IF keylift.settle_or_except(own.ids, coalesce(own.tokens, '{}'), false) IS NULL THEN NULL; END IF;
  ELSE
    IF keylift.settle(own.ids, coalesce(own.tokens, '{}')) IS NULL THEN NULL; END IF;
  END IF;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.settle_ids(bigint[])'::regprocedure);

-- step 06_settle: function keylift.apply_change_log
CREATE FUNCTION keylift.apply_change_log(most integer)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Takes up to so many entries from the change log, settles their keys as they are now, and returns how many entries
-- it took. A change that is not committed yet brings its own entry when it commits.
#variable_conflict use_column
<<own>>
DECLARE
  ids bigint[];
  entries integer;
BEGIN
  WITH taken AS (
    DELETE FROM keylift.change_log
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM keylift.change_log LIMIT apply_change_log.most))
    RETURNING key_id
  )
  SELECT array_agg(DISTINCT key_id), count(*) INTO own.ids, own.entries FROM taken;
  IF own.entries > 0 THEN
    PERFORM keylift.settle_ids(own.ids);
  END IF;
  RETURN own.entries;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.apply_change_log(integer)'::regprocedure);

-- step 06_settle: note the functions that were installed
DELETE FROM keylift.installed_functions f
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname = f.name
);
INSERT INTO keylift.installed_functions (name, digest)
SELECT p.proname, hashtextextended(
                    concat_ws('|', p.prosrc, p.prosecdef, p.proconfig) COLLATE "C", 0)::text
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'keylift'::regnamespace
  AND p.proname IN (
    'platform_path', 'crowded_tokens', 'settle', 'settle_few', 'settle_many',
    'mirror_one_insert', 'mirror_one_update', 'mirror_one_delete',
    'new_table_may_refuse', 'settle_or_except', 'settle_ids', 'apply_change_log')
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;

-- step 07_indexes: can another role write to the new table?
SELECT
FROM pg_catalog.pg_class c
WHERE c.oid = '"public"."account_api_keys"'::regclass AND (
  EXISTS (
    SELECT FROM aclexplode(c.relacl) x
    WHERE x.grantee <> c.relowner AND x.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  )
  OR EXISTS (
    SELECT FROM pg_catalog.pg_attribute a, aclexplode(a.attacl) x
    WHERE a.attrelid = c.oid AND x.grantee <> c.relowner AND x.privilege_type IN ('INSERT', 'UPDATE')
  )
  OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m WHERE m.roleid = c.relowner)
);

-- step 07_indexes: where none can: drop index "account_api_keys_token_key" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_token_key"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_token_key";

-- step 07_indexes: where none can: index "account_api_keys_token_key", while no other role can write
DO $do$
BEGIN
  SET LOCAL lock_timeout = '500ms';
  CREATE UNIQUE INDEX IF NOT EXISTS "account_api_keys_token_key"
    ON "public"."account_api_keys" (token);
END
$do$;

-- step 07_indexes: where none can: drop index "account_api_keys_pkey" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_pkey"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_pkey";

-- step 07_indexes: where none can: index "account_api_keys_pkey", while no other role can write
DO $do$
BEGIN
  SET LOCAL lock_timeout = '500ms';
  CREATE UNIQUE INDEX IF NOT EXISTS "account_api_keys_pkey"
    ON "public"."account_api_keys" (id);
END
$do$;

-- step 07_indexes: where none can: drop index "account_api_keys_account_id_created_at" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_account_id_created_at"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_account_id_created_at";

-- step 07_indexes: where none can: index "account_api_keys_account_id_created_at", while no other role can write
DO $do$
BEGIN
  SET LOCAL lock_timeout = '500ms';
  CREATE INDEX IF NOT EXISTS "account_api_keys_account_id_created_at"
    ON "public"."account_api_keys" (account_id, created_at);
END
$do$;

-- step 07_indexes: where one can: drop index "account_api_keys_token_key" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_token_key"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_token_key";

-- step 07_indexes: where one can: index "account_api_keys_token_key"
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "account_api_keys_token_key"
  ON "public"."account_api_keys" (token);

-- step 07_indexes: where one can: drop index "account_api_keys_pkey" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_pkey"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_pkey";

-- step 07_indexes: where one can: index "account_api_keys_pkey"
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "account_api_keys_pkey"
  ON "public"."account_api_keys" (id);

-- step 07_indexes: where one can: drop index "account_api_keys_account_id_created_at" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_account_id_created_at"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_account_id_created_at";

-- step 07_indexes: where one can: index "account_api_keys_account_id_created_at"
CREATE INDEX CONCURRENTLY IF NOT EXISTS "account_api_keys_account_id_created_at"
  ON "public"."account_api_keys" (account_id, created_at);

-- step 08_primary_key: primary key of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  ADD CONSTRAINT "account_api_keys_pkey" PRIMARY KEY USING INDEX "account_api_keys_pkey",
  REPLICA IDENTITY DEFAULT;
DROP INDEX "public"."account_api_keys_native_id";

-- step 08_primary_key: function keylift.draw_key_id
CREATE OR REPLACE FUNCTION keylift.draw_key_id()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs before a native key is inserted without an id. Draws the next id of the legacy table's sequence that neither
-- table has.
#variable_conflict use_column
DECLARE
  ids CONSTANT regclass := 'public.api_keys_id_seq'::regclass;
  free bigint;
BEGIN
  LOOP
    NEW.id := nextval(ids);
    EXIT WHEN NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = NEW.id)
      AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = NEW.id);
    -- Ids that were given by hand are ahead of the sequence: it is set to the end of the block that is taken.
    SELECT taken.id
    INTO free
    FROM (
      SELECT k."id" AS id FROM "public"."api_keys" k WHERE k."id" >= NEW.id
      UNION ALL
      SELECT t.id FROM "public"."account_api_keys" t WHERE t.id >= NEW.id
    ) taken
    WHERE CASE WHEN taken.id::numeric < 9223372036854775807 THEN
      NOT EXISTS (SELECT FROM "public"."api_keys" n WHERE n."id" = taken.id + 1)
      AND NOT EXISTS (SELECT FROM "public"."account_api_keys" n WHERE n.id = taken.id + 1)
    END
    ORDER BY taken.id
    LIMIT 1;
    PERFORM setval(ids, free::bigint);
  END LOOP;
  RETURN NEW;
END
$body$;

-- log the keys whose verdict may have changed
-- Its other forms: the holds are left out where there are none.
/* harden: log the keys whose verdict may have changed */
INSERT INTO keylift.change_log (key_id)
SELECT x.key_id FROM keylift.outcomes x
UNION
SELECT k."id"
FROM "public"."api_keys" k
  JOIN "public"."account_api_keys" t ON t.token = k."token"
WHERE t.origin_api_id IS NOT NULL AND true
  AND (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
        OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id"))
UNION
SELECT k."id"
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  JOIN "public"."account_api_keys" t ON t.id = k."id"
WHERE t.origin_api_id IS NOT NULL AND (a."id" IS NOT NULL AND NOT ((a.kind = 'store') IS TRUE));

-- decide a page of listed keys
/* harden: decide a page of listed keys */
SELECT keylift.settle_ids(ARRAY(SELECT key_id FROM keylift.listed_keys WHERE page = $1));

-- write the page into the ledger
/* harden: write a page of listed keys into the ledger */
WITH page AS (
  DELETE FROM keylift.listed_keys WHERE page = $1 RETURNING key_id
), decided AS (
  SELECT count(t.id) AS moved, count(*) FILTER (WHERE t.id IS NULL AND x.key_id IS NULL) AS stayed
  FROM page p
    LEFT JOIN "public"."account_api_keys" t ON t.id = p.key_id AND t.origin_api_id IS NOT NULL
    LEFT JOIN keylift.outcomes x ON x.key_id = p.key_id
)
INSERT INTO keylift.batches (attempt, state, run_id, moved, stayed, set_aside, finished_at)
SELECT m.attempt, 'done', $2, d.moved, d.stayed, - d.moved - d.stayed, clock_timestamp()
FROM decided d, keylift.migration m;

-- count the entries of the change log
SELECT count(*) AS entries FROM keylift.change_log;

-- apply a page of the change log
/* harden: apply a page of the change log */
SELECT keylift.apply_change_log($1) AS entries;

-- step 09_mirror: function keylift.mirror_insert
CREATE FUNCTION keylift.mirror_insert()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every INSERT into the legacy table. A single row takes the single-row path. For several rows, and where
-- that path does not apply, keylift.settle brings the account keys in line with the new rows.
#variable_conflict use_column
DECLARE
  caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
  caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
  path pg_catalog.text;
BEGIN
  -- Until this line every name needs its schema.
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
  <<body>>
  DECLARE
    id bigint;
    token pg_catalog.text;
    several boolean;
    ids bigint[];
    tokens pg_catalog.text[];
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         'stage', pg_trigger_depth()
       ) THEN EXIT body; END IF;
    SELECT k."id", k."token", EXISTS (SELECT FROM new_rows OFFSET 1)
    INTO id, token, several
    FROM new_rows k
    LIMIT 1;
    IF NOT several AND NOT keylift.new_table_may_refuse() THEN
      IF keylift.mirror_one_insert(id, token) THEN EXIT body; END IF;
    END IF;
    IF several AND EXISTS (SELECT FROM new_rows OFFSET 10000)
      AND (SELECT 2 * count(*) FROM (SELECT FROM new_rows k GROUP BY k."token") tokens)
        > (SELECT count(*) FROM new_rows)
    THEN
      ids := '{}';
      tokens := '{}';
      FOR id, token IN SELECT k."id", k."token" FROM new_rows k ORDER BY k."id" LOOP
        ids := ids || id;
        IF length(token) > 0 THEN tokens := tokens || token; END IF;
        IF cardinality(ids) = 10000 THEN
          IF keylift.new_table_may_refuse() THEN
            IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
          ELSE
            IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
          END IF;
          ids := '{}';
          tokens := '{}';
        END IF;
      END LOOP;
      IF cardinality(ids) > 0 THEN
        IF keylift.new_table_may_refuse() THEN
          IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
        ELSE
          IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
        END IF;
      END IF;
      EXIT body;
    END IF;
    SELECT array_agg(DISTINCT id), array_agg(DISTINCT token) FILTER (WHERE length(token) > 0)
    INTO ids, tokens
    FROM (
      SELECT k."id" AS id, k."token" AS token FROM new_rows k
    ) seen;
    IF ids IS NOT NULL THEN
      IF keylift.new_table_may_refuse() THEN
        IF keylift.settle_or_except(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      ELSE
        IF keylift.settle(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      END IF;
    END IF;
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_insert()'::regprocedure);

-- step 09_mirror: function keylift.mirror_update
CREATE FUNCTION keylift.mirror_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every UPDATE of the legacy table. It returns at once where no mapped column changed, as when only the
-- last use was written. A single row takes the single-row path. For several rows, and where that path does not
-- apply, keylift.settle brings the account keys in line with the rows.
#variable_conflict use_column
DECLARE
  caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
  caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
  path pg_catalog.text;
BEGIN
  -- Until this line every name needs its schema.
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
  <<body>>
  DECLARE
    id bigint;
    token pg_catalog.text;
    several boolean;
    changed boolean;
    column_changed pg_catalog.text;
    ids bigint[];
    tokens pg_catalog.text[];
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         'stage', pg_trigger_depth()
       ) THEN EXIT body; END IF;
    SELECT k."id", k."token",
      record_image_ne(
        ROW(k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.revoked_at,
            k.expires_at),
        ROW(o.id, o.account_id, o.api_id, o.name, o.token, o.created_at, o.revoked_at,
            o.expires_at)),
      EXISTS (SELECT FROM new_rows OFFSET 1) OR record_image_ne(ROW(k."id"), ROW(o."id")),
      concat_ws(' ', CASE WHEN record_image_ne(ROW(k."name"), ROW(o."name")) THEN 'name' END,
      CASE WHEN record_image_ne(ROW(k."revoked_at"), ROW(o."revoked_at")) THEN 'revoked_at' END,
      CASE WHEN record_image_ne(ROW(k."expires_at"), ROW(o."expires_at")) THEN 'expires_at' END)
    INTO id, token, changed, several, column_changed
    FROM new_rows k, old_rows o
    LIMIT 1;
    IF NOT FOUND THEN EXIT body; END IF;
    IF several THEN
      -- EXCEPT rather than a join: its cost does not depend on a plan made for another number of rows.
      IF NOT EXISTS (
        SELECT n.id, n.account_id, n.api_id, n.name::text COLLATE "C",
               n.token::text COLLATE "C", n.created_at, n.revoked_at, n.expires_at FROM new_rows n
        EXCEPT ALL
        SELECT o.id, o.account_id, o.api_id, o.name::text COLLATE "C",
               o.token::text COLLATE "C", o.created_at, o.revoked_at, o.expires_at FROM old_rows o
      ) THEN
        EXIT body;
      END IF;
    ELSIF NOT changed THEN
      EXIT body;
    END IF;
    IF NOT several AND NOT keylift.new_table_may_refuse() THEN
      IF keylift.mirror_one_update(id, token, column_changed) THEN EXIT body; END IF;
    END IF;
    IF several AND EXISTS (SELECT FROM new_rows OFFSET 10000)
      AND (SELECT 2 * count(*) FROM (SELECT FROM new_rows k GROUP BY k."token") tokens)
        > (SELECT count(*) FROM new_rows)
      AND NOT EXISTS (
        SELECT n."id", n."token" FROM new_rows n
        EXCEPT
        SELECT o."id", o."token" FROM old_rows o
      )
    THEN
      ids := '{}';
      tokens := '{}';
      FOR id, token IN SELECT k."id", k."token" FROM new_rows k ORDER BY k."id" LOOP
        ids := ids || id;
        IF length(token) > 0 THEN tokens := tokens || token; END IF;
        IF cardinality(ids) = 10000 THEN
          IF keylift.new_table_may_refuse() THEN
            IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
          ELSE
            IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
          END IF;
          ids := '{}';
          tokens := '{}';
        END IF;
      END LOOP;
      IF cardinality(ids) > 0 THEN
        IF keylift.new_table_may_refuse() THEN
          IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
        ELSE
          IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
        END IF;
      END IF;
      EXIT body;
    END IF;
    SELECT array_agg(DISTINCT id), array_agg(DISTINCT token) FILTER (WHERE length(token) > 0)
    INTO ids, tokens
    FROM (
      SELECT k."id" AS id, k."token" AS token FROM old_rows k
      UNION ALL
      SELECT k."id" AS id, k."token" AS token FROM new_rows k
    ) seen;
    IF ids IS NOT NULL THEN
      IF keylift.new_table_may_refuse() THEN
        IF keylift.settle_or_except(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      ELSE
        IF keylift.settle(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      END IF;
    END IF;
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_update()'::regprocedure);

-- step 09_mirror: function keylift.mirror_delete
CREATE FUNCTION keylift.mirror_delete()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every DELETE from the legacy table. A single row takes the single-row path. For several rows, and where
-- that path does not apply, keylift.settle brings the account keys in line with the rows that are left.
#variable_conflict use_column
DECLARE
  caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
  caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
  path pg_catalog.text;
BEGIN
  -- Until this line every name needs its schema.
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
  <<body>>
  DECLARE
    id bigint;
    token pg_catalog.text;
    several boolean;
    ids bigint[];
    tokens pg_catalog.text[];
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         'stage', pg_trigger_depth()
       ) THEN EXIT body; END IF;
    SELECT k."id", k."token", EXISTS (SELECT FROM old_rows OFFSET 1)
    INTO id, token, several
    FROM old_rows k
    LIMIT 1;
    IF NOT several AND NOT keylift.new_table_may_refuse() THEN
      IF keylift.mirror_one_delete(id, token) THEN EXIT body; END IF;
    END IF;
    IF several AND EXISTS (SELECT FROM old_rows OFFSET 10000)
      AND (SELECT 2 * count(*) FROM (SELECT FROM old_rows k GROUP BY k."token") tokens)
        > (SELECT count(*) FROM old_rows)
    THEN
      ids := '{}';
      tokens := '{}';
      FOR id, token IN SELECT k."id", k."token" FROM old_rows k ORDER BY k."id" LOOP
        ids := ids || id;
        IF length(token) > 0 THEN tokens := tokens || token; END IF;
        IF cardinality(ids) = 10000 THEN
          IF keylift.new_table_may_refuse() THEN
            IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
          ELSE
            IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
          END IF;
          ids := '{}';
          tokens := '{}';
        END IF;
      END LOOP;
      IF cardinality(ids) > 0 THEN
        IF keylift.new_table_may_refuse() THEN
          IF keylift.settle_or_except(ids, tokens, true) IS NULL THEN NULL; END IF;
        ELSE
          IF keylift.settle(ids, tokens, true) IS NULL THEN NULL; END IF;
        END IF;
      END IF;
      EXIT body;
    END IF;
    SELECT array_agg(DISTINCT id), array_agg(DISTINCT token) FILTER (WHERE length(token) > 0)
    INTO ids, tokens
    FROM (
      SELECT k."id" AS id, k."token" AS token FROM old_rows k
    ) seen;
    IF ids IS NOT NULL THEN
      IF keylift.new_table_may_refuse() THEN
        IF keylift.settle_or_except(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      ELSE
        IF keylift.settle(ids, coalesce(tokens, '{}'), true) IS NULL THEN NULL; END IF;
      END IF;
    END IF;
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_delete()'::regprocedure);

-- step 09_mirror: function keylift.mirror_back_update
CREATE FUNCTION keylift.mirror_back_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every UPDATE of account_api_keys by the platform. Carries the change back to the per-API row and to the
-- rows merged into it. A token that a native key gave up is free again: its per-API keys are settled anew.
#variable_conflict use_column
DECLARE
  caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
  caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
  path pg_catalog.text;
BEGIN
  -- Until this line every name needs its schema.
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
  <<body>>
  DECLARE
    ids bigint[];
    changes pg_catalog.text[];
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
       ) THEN EXIT body; END IF;
    PERFORM keylift.settle('{}', freed.tokens)
    FROM (
      SELECT array_agg(DISTINCT o.token) AS tokens
      FROM old_rows o JOIN new_rows n ON n.id = o.id
      WHERE o.origin_api_id IS NULL AND n.token <> o.token
        AND EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = o.token)
    ) freed
    WHERE freed.tokens IS NOT NULL;
    -- EXCEPT rather than a join: its cost does not depend on a plan made for another number of rows.
    SELECT array_agg(moved.id)
    INTO ids
    FROM (
      SELECT n.id, n.account_id FROM new_rows n WHERE n.origin_api_id IS NOT NULL
      EXCEPT ALL
      SELECT o.id, o.account_id FROM old_rows o
    ) moved;
    IF ids IS NOT NULL THEN
      PERFORM keylift.settle_ids(ids);
      EXIT body;
    END IF;
    IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
      EXECUTE $statement$
        SELECT nullif(array_remove(ARRAY[
          CASE WHEN bool_or(record_image_ne(ROW(o.name), ROW(n.name)))
            THEN '"name" = CASE WHEN m.key_id = m.id AND record_image_ne(ROW(m.old_0), ROW(m.new_0))'
              ' THEN m.new_0 ELSE k."name" END' END,
          CASE WHEN bool_or(record_image_ne(ROW(o.token), ROW(n.token)))
            THEN '"token" = CASE WHEN record_image_ne(ROW(m.old_1), ROW(m.new_1))'
              ' THEN m.new_1 ELSE k."token" END' END,
          CASE WHEN bool_or(record_image_ne(ROW(o.account_id), ROW(n.account_id)))
            THEN '"account_id" = CASE WHEN record_image_ne(ROW(m.old_2), ROW(m.new_2))'
              ' THEN m.new_2 ELSE k."account_id" END' END,
          CASE WHEN bool_or(record_image_ne(ROW(o.revoked_at), ROW(n.revoked_at)))
            THEN '"revoked_at" = CASE WHEN record_image_ne(ROW(m.old_3), ROW(m.new_3))'
              ' THEN m.new_3 ELSE k."revoked_at" END' END,
          CASE WHEN bool_or(record_image_ne(ROW(o.expires_at), ROW(n.expires_at)))
            THEN '"expires_at" = CASE WHEN record_image_ne(ROW(m.old_4), ROW(m.new_4))'
              ' THEN m.new_4 ELSE k."expires_at" END' END
        ], NULL), '{}')
        FROM new_rows n JOIN old_rows o ON o.id = n.id
        WHERE n.origin_api_id IS NOT NULL
      $statement$ INTO changes;
    ELSE
      SELECT nullif(array_remove(ARRAY[
        CASE WHEN bool_or(record_image_ne(ROW(o.name), ROW(n.name)))
          THEN '"name" = CASE WHEN m.key_id = m.id AND record_image_ne(ROW(m.old_0), ROW(m.new_0))'
            ' THEN m.new_0 ELSE k."name" END' END,
        CASE WHEN bool_or(record_image_ne(ROW(o.token), ROW(n.token)))
          THEN '"token" = CASE WHEN record_image_ne(ROW(m.old_1), ROW(m.new_1))'
            ' THEN m.new_1 ELSE k."token" END' END,
        CASE WHEN bool_or(record_image_ne(ROW(o.account_id), ROW(n.account_id)))
          THEN '"account_id" = CASE WHEN record_image_ne(ROW(m.old_2), ROW(m.new_2))'
            ' THEN m.new_2 ELSE k."account_id" END' END,
        CASE WHEN bool_or(record_image_ne(ROW(o.revoked_at), ROW(n.revoked_at)))
          THEN '"revoked_at" = CASE WHEN record_image_ne(ROW(m.old_3), ROW(m.new_3))'
            ' THEN m.new_3 ELSE k."revoked_at" END' END,
        CASE WHEN bool_or(record_image_ne(ROW(o.expires_at), ROW(n.expires_at)))
          THEN '"expires_at" = CASE WHEN record_image_ne(ROW(m.old_4), ROW(m.new_4))'
            ' THEN m.new_4 ELSE k."expires_at" END' END
      ], NULL), '{}')
      INTO changes
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.origin_api_id IS NOT NULL;
    END IF;
    IF changes IS NULL THEN EXIT body; END IF;
    IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
      EXECUTE $statement$
        SELECT FROM new_rows n
          JOIN keylift.outcomes x ON x.account_key_id = n.id
          JOIN "public"."api_keys" k ON k."id" = x.key_id
        WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
        ORDER BY k."id"
        FOR NO KEY UPDATE OF k
      $statement$;
    ELSE
      PERFORM FROM new_rows n
        JOIN keylift.outcomes x ON x.account_key_id = n.id
        JOIN "public"."api_keys" k ON k."id" = x.key_id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k;
    END IF;
    -- One statement for all rows of a repeated token: the mirror must not see some of them changed and others not.
    EXECUTE format(
      $statement$
        UPDATE "public"."api_keys" k
        SET %s
        FROM (
               SELECT n.id, n.id AS key_id,
                 o.name AS old_0, n.name AS new_0, o.token AS old_1, n.token AS new_1,
                 o.account_id AS old_2, n.account_id AS new_2,
                 o.revoked_at AS old_3, n.revoked_at AS new_3,
                 o.expires_at AS old_4, n.expires_at AS new_4
               FROM new_rows n JOIN old_rows o ON o.id = n.id
               WHERE n.origin_api_id IS NOT NULL
               UNION ALL
               SELECT n.id, x.key_id,
                 o.name AS old_0, n.name AS new_0, o.token AS old_1, n.token AS new_1,
                 o.account_id AS old_2, n.account_id AS new_2,
                 o.revoked_at AS old_3, n.revoked_at AS new_3,
                 o.expires_at AS old_4, n.expires_at AS new_4
               FROM new_rows n
                 JOIN old_rows o ON o.id = n.id
                 JOIN keylift.outcomes x ON x.account_key_id = n.id
               WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
             ) m
        WHERE k."id" = m.key_id
              AND record_image_ne(
                ROW(k."name", k."token", k."account_id", k."revoked_at", k."expires_at"),
                ROW(CASE WHEN m.key_id = m.id AND record_image_ne(ROW(m.old_0), ROW(m.new_0))
                      THEN m.new_0 ELSE k."name" END,
                    CASE WHEN record_image_ne(ROW(m.old_1), ROW(m.new_1))
                      THEN m.new_1 ELSE k."token" END,
                    CASE WHEN record_image_ne(ROW(m.old_2), ROW(m.new_2))
                      THEN m.new_2 ELSE k."account_id" END,
                    CASE WHEN record_image_ne(ROW(m.old_3), ROW(m.new_3))
                      THEN m.new_3 ELSE k."revoked_at" END,
                    CASE WHEN record_image_ne(ROW(m.old_4), ROW(m.new_4))
                      THEN m.new_4 ELSE k."expires_at" END))
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
      $statement$,
      array_to_string(changes, ', '));
    path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    IF EXISTS (
         SELECT FROM pg_catalog.pg_trigger t
         WHERE t.tgrelid = '"public"."api_keys"'::regclass AND NOT t.tgisinternal AND t.tgtype & 19 = 19
           AND t.tgname NOT LIKE 'keylift\_%'
       ) THEN
      EXECUTE $statement$
        SELECT array_agg(k.id)
        FROM (SELECT k."id" AS id
          FROM "public"."api_keys" k, (
                                        SELECT n.id, n.id AS key_id,
                                          o.name AS old_0, n.name AS new_0, o.token AS old_1, n.token AS new_1,
                                          o.account_id AS old_2, n.account_id AS new_2,
                                          o.revoked_at AS old_3, n.revoked_at AS new_3,
                                          o.expires_at AS old_4, n.expires_at AS new_4
                                        FROM new_rows n JOIN old_rows o ON o.id = n.id
                                        WHERE n.origin_api_id IS NOT NULL
                                        UNION ALL
                                        SELECT n.id, x.key_id,
                                          o.name AS old_0, n.name AS new_0, o.token AS old_1, n.token AS new_1,
                                          o.account_id AS old_2, n.account_id AS new_2,
                                          o.revoked_at AS old_3, n.revoked_at AS new_3,
                                          o.expires_at AS old_4, n.expires_at AS new_4
                                        FROM new_rows n
                                          JOIN old_rows o ON o.id = n.id
                                          JOIN keylift.outcomes x ON x.account_key_id = n.id
                                        WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
                                      ) m
          WHERE k."id" = m.key_id
                AND record_image_ne(
                  ROW(k."name", k."token", k."account_id", k."revoked_at", k."expires_at"),
                  ROW(CASE WHEN m.key_id = m.id AND record_image_ne(ROW(m.old_0), ROW(m.new_0))
                        THEN m.new_0 ELSE k."name" END,
                      CASE WHEN record_image_ne(ROW(m.old_1), ROW(m.new_1))
                        THEN m.new_1 ELSE k."token" END,
                      CASE WHEN record_image_ne(ROW(m.old_2), ROW(m.new_2))
                        THEN m.new_2 ELSE k."account_id" END,
                      CASE WHEN record_image_ne(ROW(m.old_3), ROW(m.new_3))
                        THEN m.new_3 ELSE k."revoked_at" END,
                      CASE WHEN record_image_ne(ROW(m.old_4), ROW(m.new_4))
                        THEN m.new_4 ELSE k."expires_at" END))
          LIMIT 1
        ) k
      $statement$ INTO ids;
      IF ids IS NOT NULL THEN
        RAISE EXCEPTION 'a trigger of "public"."api_keys" made something else of this change for key %', ids[1]
          USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Settings and the per-API key would differ. Change the key in its API.';
      END IF;
    END IF;
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_back_update()'::regprocedure);

-- step 09_mirror: function keylift.mirror_back_delete
CREATE FUNCTION keylift.mirror_back_delete()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every DELETE from account_api_keys by the platform. Deletes the per-API row and the rows merged into it.
-- Where the account itself is gone, the per-API rows stay and are settled anew. So are the per-API keys of a token
-- that a native key gave up.
#variable_conflict use_column
DECLARE
  caller_path CONSTANT pg_catalog.text := pg_catalog.current_setting('search_path');
  caller_schemas CONSTANT pg_catalog.name[] := pg_catalog.current_schemas(false);
  path pg_catalog.text;
BEGIN
  -- Until this line every name needs its schema.
  path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  path := set_config('keylift.platform_path', keylift.platform_path(caller_path, caller_schemas), true);
  <<body>>
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
       ) THEN EXIT body; END IF;
    IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
      EXECUTE $statement$
        SELECT FROM old_rows n
          JOIN keylift.outcomes x ON x.account_key_id = n.id
          JOIN "public"."api_keys" k ON k."id" = x.key_id
        WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
        ORDER BY k."id"
        FOR NO KEY UPDATE OF k
      $statement$;
    ELSE
      PERFORM FROM old_rows n
        JOIN keylift.outcomes x ON x.account_key_id = n.id
        JOIN "public"."api_keys" k ON k."id" = x.key_id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k;
    END IF;
    -- The foreign key deletes account keys with their account; their per-API rows are exceptions for the operator.
    IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
      EXECUTE $statement$
        DELETE FROM "public"."api_keys" k
        USING (
                SELECT d.id AS key_id
                FROM old_rows d
                WHERE d.origin_api_id IS NOT NULL
                  AND EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = d.account_id)
                UNION ALL
                SELECT x.key_id
                FROM old_rows d JOIN keylift.outcomes x ON x.account_key_id = d.id
                WHERE x.outcome = 'merge'
                  AND d.origin_api_id IS NOT NULL
                  AND EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = d.account_id)
              ) m
        WHERE k."id" = m.key_id
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL
      $statement$;
    ELSE
      DELETE FROM "public"."api_keys" k
      USING (
              SELECT d.id AS key_id
              FROM old_rows d
              WHERE d.origin_api_id IS NOT NULL
                AND EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = d.account_id)
              UNION ALL
              SELECT x.key_id
              FROM old_rows d JOIN keylift.outcomes x ON x.account_key_id = d.id
              WHERE x.outcome = 'merge'
                AND d.origin_api_id IS NOT NULL
                AND EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = d.account_id)
            ) m
      WHERE k."id" = m.key_id
        AND (
              SELECT set_config(
                'search_path',
                coalesce(
                  nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                ),
                true)
            ) IS NOT NULL;
    END IF;
    path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM keylift.settle(gone.ids, gone.tokens)
    FROM (
      SELECT array_agg(d.id) AS ids, array_agg(d.token) AS tokens
      FROM old_rows d
      WHERE d.origin_api_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = d.account_id)
    ) gone
    WHERE gone.ids IS NOT NULL;
    PERFORM keylift.settle('{}', freed.tokens)
    FROM (
      SELECT array_agg(DISTINCT o.token) AS tokens
      FROM old_rows o
      WHERE o.origin_api_id IS NULL
        AND EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = o.token)
    ) freed
    WHERE freed.tokens IS NOT NULL;
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.mirror_back_delete()'::regprocedure);

-- step 09_mirror: apply the rest of the change log under a lock
LOCK TABLE "public"."api_keys" IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE "public"."account_api_keys" IN SHARE ROW EXCLUSIVE MODE;
DO $do$
BEGIN
  IF (SELECT count(*) FROM keylift.change_log) > 1000 THEN
    RAISE EXCEPTION 'the change log has grown since the last round'
      USING ERRCODE = 'KL001';
  END IF;
  WHILE keylift.apply_change_log(1000) > 0 LOOP END LOOP;
END
$do$;

-- step 09_mirror: drop the triggers of the change log
DROP TRIGGER IF EXISTS keylift_log_insert ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_log_update ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_log_delete ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_truncate ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_moving ON "public"."account_api_keys";

-- step 09_mirror: trigger of "public"."account_api_keys" that refuses an origin
DROP TRIGGER IF EXISTS keylift_guard_insert ON "public"."account_api_keys";
CREATE TRIGGER keylift_guard_insert AFTER INSERT ON "public"."account_api_keys"
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.guard_insert();

-- step 09_mirror: triggers of "public"."api_keys"
CREATE TRIGGER keylift_insert AFTER INSERT ON "public"."api_keys"
  REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_insert();
CREATE TRIGGER keylift_update AFTER UPDATE ON "public"."api_keys"
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_update();
CREATE TRIGGER keylift_delete AFTER DELETE ON "public"."api_keys"
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_delete();
CREATE TRIGGER keylift_truncate BEFORE TRUNCATE ON "public"."api_keys"
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.refuse_truncate();

-- step 09_mirror: triggers of "public"."account_api_keys"
CREATE TRIGGER keylift_update AFTER UPDATE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_back_update();
CREATE TRIGGER keylift_delete AFTER DELETE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_back_delete();

-- step 09_mirror: the mirror is on
UPDATE keylift.migration SET mirror = mirror + 1, mirror_on = true;
DO $do$
BEGIN
  EXECUTE format(
    'CREATE OR REPLACE FUNCTION keylift.mirror_number() RETURNS integer LANGUAGE sql IMMUTABLE RETURN %s',
    (SELECT mirror FROM keylift.migration));
END
$do$;

-- step 09_mirror: note the functions that were installed
DELETE FROM keylift.installed_functions f
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname = f.name
);
INSERT INTO keylift.installed_functions (name, digest)
SELECT p.proname, hashtextextended(
                    concat_ws('|', p.prosrc, p.prosecdef, p.proconfig) COLLATE "C", 0)::text
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'keylift'::regnamespace
  AND p.proname IN (
    'mirror_insert', 'mirror_update', 'mirror_delete', 'mirror_back_update',
    'mirror_back_delete')
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;

-- step 10_constraints: constraints of "public"."account_api_keys", not validated yet
ALTER TABLE "public"."account_api_keys"
  ADD CONSTRAINT "account_api_keys_account_id_fkey"
    FOREIGN KEY (account_id) REFERENCES "public"."accounts" ("id") ON UPDATE CASCADE ON DELETE CASCADE NOT VALID,
  ADD CONSTRAINT "account_api_keys_scope_check"
    CHECK (scope = 'store_apis') NOT VALID,
  ADD CONSTRAINT "account_api_keys_token_check"
    CHECK (octet_length(token) > 0) NOT VALID;

-- step 11_validation: validate the checks of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  VALIDATE CONSTRAINT "account_api_keys_scope_check",
  VALIDATE CONSTRAINT "account_api_keys_token_check";

-- step 11_validation: validate the foreign key of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  VALIDATE CONSTRAINT "account_api_keys_account_id_fkey";

-- step 12_switchable: autovacuum of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys" RESET (autovacuum_enabled);

-- step 12_switchable: function keylift.authorize
CREATE OR REPLACE FUNCTION keylift.authorize(token text, api_id bigint)
RETURNS TABLE (key_id bigint, account_id bigint, source text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $body$
-- Which key opens this API with this token, and whose is it? One row at most.
-- Answers from the per-API key until the key's account is switched, and from the account key after. A custom API, a
-- held key and an exception are always answered by the per-API key. No row for an unknown API.
#variable_conflict use_column
<<own>>
DECLARE
  -- Named with their block: a column of the operator's may have the same name. Copies: a parameter takes the
  -- collation of its argument, and those of token and API may differ.
  sent CONSTANT text COLLATE "default" := authorize.token;
  api CONSTANT bigint := authorize.api_id;
  in_store boolean;
  rule record;
  per_api record;
  per_account record;
BEGIN
  SELECT ((a.kind = 'store') IS TRUE) AS in_store, r.mode, r.cohorts,
    r.mode <> 'none' AND EXISTS (SELECT FROM keylift.overlaps) AS overlapping
  INTO rule
  FROM "public"."apis" a
    JOIN keylift.switch_rule r ON r.singleton
  WHERE a."id" = own.api;
  IF NOT FOUND THEN RETURN; END IF;

  IF NOT rule.in_store THEN
    SELECT k."id", k."account_id", 'per_api'
    INTO authorize.key_id, authorize.account_id, authorize.source
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = own.sent AND k."api_id" = own.api
      AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
      AND true
    ORDER BY k."created_at", k."id"
    LIMIT 1;
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  END IF;

  IF rule.mode = 'none' THEN
    SELECT k."id", k."account_id", 'per_api'
    INTO authorize.key_id, authorize.account_id, authorize.source
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = own.sent AND k."api_id" = own.api
      AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
      AND true
    ORDER BY k."created_at", k."id"
    LIMIT 1;
    IF FOUND THEN RETURN NEXT; RETURN; END IF;
    SELECT t.id, t.account_id, 'account'
    INTO authorize.key_id, authorize.account_id, authorize.source
    FROM
      "public"."account_api_keys" t
    WHERE t.token = own.sent
      AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))
      AND t.origin_api_id IS NULL;
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  END IF;

  IF NOT rule.overlapping THEN
    IF rule.mode = 'all' THEN
      SELECT t.id, t.account_id, 'account'
      INTO authorize.key_id, authorize.account_id, authorize.source
      FROM
        "public"."account_api_keys" t
      WHERE t.token = own.sent
        AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))
        ;
      IF FOUND THEN RETURN NEXT; RETURN; END IF;
    ELSE
      SELECT t.id, t.account_id,
        (
          t.origin_api_id IS NULL
          OR coalesce(
               (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = t.account_id),
               rule.cohorts
                 @> (
                      ('x' || encode(
                        substring(sha256(convert_to((t.account_id)::text, 'UTF8')) FROM 1 FOR 4),
                        'hex'
                      ))::bit(32)::bigint % 1000000
                    )::integer
             )
        ) AS switched
      INTO per_account
      FROM "public"."account_api_keys" t
      WHERE t.token = own.sent
        AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()));
      IF per_account.switched THEN
        key_id := per_account.id;
        account_id := per_account.account_id;
        source := 'account';
        RETURN NEXT;
        RETURN;
      ELSIF FOUND THEN
        SELECT k."id", k."account_id", 'per_api'
        INTO authorize.key_id, authorize.account_id, authorize.source
        FROM
          "public"."api_keys" k
          LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
          LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
        WHERE k."token" = own.sent AND k."api_id" = own.api
          AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
          AND true
        ORDER BY k."created_at", k."id"
        LIMIT 1;
        IF FOUND THEN RETURN NEXT; END IF;
        RETURN;
      END IF;
    END IF;
    SELECT k."id", k."account_id", 'per_api'
    INTO authorize.key_id, authorize.account_id, authorize.source
    FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = own.sent AND k."api_id" = own.api
      AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
      AND true
      AND NOT (
        (
          EXISTS (SELECT FROM "public"."account_api_keys" m WHERE m.id = k."id" AND m.origin_api_id IS NOT NULL)
          OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = k."id" AND m.outcome = 'merge')
        )
        AND coalesce(
              (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = k."account_id"),
              rule.cohorts
                @> (
                     ('x' || encode(
                       substring(sha256(convert_to((k."account_id")::text, 'UTF8')) FROM 1 FOR 4),
                       'hex'
                     ))::bit(32)::bigint % 1000000
                   )::integer
            )
      )
    ORDER BY k."created_at", k."id"
    LIMIT 1;
    IF FOUND THEN RETURN NEXT; END IF;
    RETURN;
  END IF;

  SELECT k."id" AS id, k."account_id" AS account_id, k."created_at" AS created_at
  INTO per_api
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE k."token" = own.sent AND k."api_id" = own.api
    AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
    AND true
    AND NOT (
      (
        EXISTS (SELECT FROM "public"."account_api_keys" m WHERE m.id = k."id" AND m.origin_api_id IS NOT NULL)
        OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = k."id" AND m.outcome = 'merge')
      )
      AND coalesce(
            (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = k."account_id"),
            rule.cohorts
              @> (
                   ('x' || encode(
                     substring(sha256(convert_to((k."account_id")::text, 'UTF8')) FROM 1 FOR 4),
                     'hex'
                   ))::bit(32)::bigint % 1000000
                 )::integer
          )
    )
  ORDER BY k."created_at", k."id"
  LIMIT 1;
  SELECT t.id, t.account_id, t.origin_api_id, t.created_at
  INTO per_account
  FROM
    "public"."account_api_keys" t
  WHERE t.token = own.sent
    AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))
    AND (
      t.origin_api_id IS NULL
      OR coalesce(
           (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = t.account_id),
           rule.cohorts
             @> (
                  ('x' || encode(
                    substring(sha256(convert_to((t.account_id)::text, 'UTF8')) FROM 1 FOR 4),
                    'hex'
                  ))::bit(32)::bigint % 1000000
                )::integer
         )
    );
  -- Where both hold the token for this API, the earliest answers, as before.
  IF per_api.id IS NOT NULL AND NOT (
    per_account.id IS NOT NULL AND EXISTS (
      SELECT
      FROM (
        SELECT per_account.created_at AS created_at, per_account.id AS id
        WHERE per_account.origin_api_id = own.api
        UNION ALL
        SELECT x.opened_since, x.key_id
        FROM keylift.outcomes x
        WHERE x.outcome = 'merge' AND x.account_key_id = per_account.id AND x.opened_api_id = own.api
      ) had
      WHERE per_api.created_at IS NULL OR (had.created_at, had.id) < (per_api.created_at, per_api.id)
    )
  ) THEN
    key_id := per_api.id;
    account_id := per_api.account_id;
    source := 'per_api';
    RETURN NEXT;
  ELSIF per_account.id IS NOT NULL THEN
    key_id := per_account.id;
    account_id := per_account.account_id;
    source := 'account';
    RETURN NEXT;
  END IF;
END
$body$;

-- step 12_switchable: view keylift.per_api_keys
CREATE OR REPLACE VIEW keylift.per_api_keys AS
SELECT
  k."id" AS "id",
  k."account_id" AS "account_id",
  k."api_id" AS "api_id",
  k."name" AS "name",
  k."token" AS "token",
  k."created_at" AS "created_at",
  k."last_used_at" AS "last_used_at",
  k."revoked_at" AS "revoked_at",
  k."expires_at" AS "expires_at"
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE true
  AND NOT (
    ((a.kind = 'store') IS TRUE)
    AND (
      EXISTS (SELECT FROM "public"."account_api_keys" m WHERE m.id = k."id" AND m.origin_api_id IS NOT NULL)
      OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = k."id" AND m.outcome = 'merge')
    )
    AND coalesce(
          (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = k."account_id"),
          (SELECT r.cohorts FROM keylift.switch_rule r)
            @> (
                 ('x' || encode(
                   substring(sha256(convert_to((k."account_id")::text, 'UTF8')) FROM 1 FOR 4),
                   'hex'
                 ))::bit(32)::bigint % 1000000
               )::integer
        )
  )
UNION ALL
SELECT
  t.id AS "id",
  t.account_id AS "account_id",
  a."id" AS "api_id",
  t.name AS "name",
  t.token AS "token",
  t.created_at AS "created_at",
  t.last_used_at AS "last_used_at",
  t.revoked_at AS "revoked_at",
  t.expires_at AS "expires_at"
FROM "public"."account_api_keys" t
  CROSS JOIN "public"."apis" a
WHERE ((a.kind = 'store') IS TRUE)
  AND (
        t.origin_api_id IS NULL
        OR coalesce(
             (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = t.account_id),
             (SELECT r.cohorts FROM keylift.switch_rule r)
               @> (
                    ('x' || encode(
                      substring(sha256(convert_to((t.account_id)::text, 'UTF8')) FROM 1 FOR 4),
                      'hex'
                    ))::bit(32)::bigint % 1000000
                  )::integer
           )
      )
  -- A held key or an exception answers for its API itself, unless a row behind the account key is earlier.
  AND NOT EXISTS (
    SELECT
    FROM "public"."api_keys" k
    WHERE k."token" = t.token AND k."api_id" = a."id"
      AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
      AND true
      AND NOT (
        (
          EXISTS (SELECT FROM "public"."account_api_keys" m WHERE m.id = k."id" AND m.origin_api_id IS NOT NULL)
          OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = k."id" AND m.outcome = 'merge')
        )
        AND coalesce(
              (SELECT s.switched FROM keylift.switched_accounts s WHERE s.account_id = k."account_id"),
              (SELECT r.cohorts FROM keylift.switch_rule r)
                @> (
                     ('x' || encode(
                       substring(sha256(convert_to((k."account_id")::text, 'UTF8')) FROM 1 FOR 4),
                       'hex'
                     ))::bit(32)::bigint % 1000000
                   )::integer
            )
      )
      AND NOT EXISTS (
        SELECT
        FROM (
          SELECT t.created_at AS created_at, t.id AS id
          WHERE t.origin_api_id = a."id"
          UNION ALL
          SELECT x.opened_since, x.key_id
          FROM keylift.outcomes x
          WHERE x.outcome = 'merge' AND x.account_key_id = t.id AND x.opened_api_id = a."id"
        ) had
        WHERE k."created_at" IS NULL OR (had.created_at, had.id) < (k."created_at", k."id")
      )
  );

-- step 12_switchable: note the functions that were installed
DELETE FROM keylift.installed_functions f
WHERE NOT EXISTS (
  SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname = f.name
);
INSERT INTO keylift.installed_functions (name, digest)
SELECT p.proname, hashtextextended(
                    concat_ws('|', p.prosrc, p.prosecdef, p.proconfig) COLLATE "C", 0)::text
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = 'keylift'::regnamespace
  AND p.proname IN (
    'authorize')
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;

-- where the index is refused: find account keys with one token, to settle them
SELECT t.id::text AS key_id
FROM "public"."account_api_keys" t
WHERE t.token IN (SELECT token FROM "public"."account_api_keys" GROUP BY token HAVING count(*) > 1);

-- where a constraint is refused: find keys without their account, to settle them
SELECT t.id::text AS key_id
FROM "public"."account_api_keys" t
WHERE t.origin_api_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = t.account_id);

-- where a constraint is refused: find keys that were written past the triggers, to settle them
SELECT key_id::text AS key_id
FROM (
  SELECT k."id" AS key_id
  FROM "public"."api_keys" k
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
  SELECT t.id
  FROM "public"."account_api_keys" t
  WHERE t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
    AND NOT (
              t.origin_api_id IS NOT NULL
              AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
              AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id AND true)
            )
) AS key;

-- settle a page of the keys that were found
/* settle keys again */
SELECT keylift.settle_ids($1::text[]::bigint[]);

-- where a constraint is refused: name the native keys that do not fit
SELECT count(*) OVER () AS total, t.id::text AS key_id,
  CASE
    WHEN length(t.token) = 0 THEN 'no token'
    WHEN t.scope <> 'store_apis' THEN 'a scope other than store_apis'
    ELSE 'no account ' || t.account_id::text
  END AS fault
FROM "public"."account_api_keys" t
WHERE length(t.token) = 0
  OR t.scope <> 'store_apis'
  OR NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = t.account_id)
ORDER BY t.id
LIMIT 20;

-- in a later run: find the keys whose verdict may have changed, to settle them
-- Its other forms: the holds are left out where there are none.
SELECT key_id::text AS key_id
FROM (
  SELECT x.key_id FROM keylift.outcomes x
  UNION
  SELECT k."id"
  FROM "public"."api_keys" k
    JOIN "public"."account_api_keys" t ON t.token = k."token"
  WHERE t.origin_api_id IS NOT NULL AND true
    AND (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = k."id")
          OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = k."account_id"))
  UNION
  SELECT k."id"
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    JOIN "public"."account_api_keys" t ON t.id = k."id"
  WHERE t.origin_api_id IS NOT NULL AND (a."id" IS NOT NULL AND NOT ((a.kind = 'store') IS TRUE))
) AS key;
