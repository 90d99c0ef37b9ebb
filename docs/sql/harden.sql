-- Made by npm run docs for the default configuration; not to be edited.
-- Stage harden. Adds indexes and constraints, and teaches authorize and the view to answer switched accounts.

-- step 06_token_index: drop index "account_api_keys_token_key" if an interrupted build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_token_key"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_token_key";

-- step 06_token_index: index "account_api_keys_token_key"
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS "account_api_keys_token_key"
  ON "public"."account_api_keys" (token);

-- step 07_settings_index: drop index "account_api_keys_account_id_created_at" if an interrupted build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."account_api_keys_account_id_created_at"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_account_id_created_at";

-- step 07_settings_index: index "account_api_keys_account_id_created_at"
CREATE INDEX CONCURRENTLY IF NOT EXISTS "account_api_keys_account_id_created_at"
  ON "public"."account_api_keys" (account_id, created_at);

-- step 08_constraints: constraints of "public"."account_api_keys", not validated yet
ALTER TABLE "public"."account_api_keys"
  ADD CONSTRAINT "account_api_keys_account_id_fkey"
    FOREIGN KEY (account_id) REFERENCES "public"."accounts" ("id") ON DELETE CASCADE NOT VALID,
  ADD CONSTRAINT "account_api_keys_scope_check"
    CHECK (scope = 'store_apis') NOT VALID,
  ADD CONSTRAINT "account_api_keys_token_check"
    CHECK (octet_length(token) > 0) NOT VALID;

-- step 09_validation: validate the checks of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  VALIDATE CONSTRAINT "account_api_keys_scope_check",
  VALIDATE CONSTRAINT "account_api_keys_token_check";

-- step 09_validation: validate the foreign key of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  VALIDATE CONSTRAINT "account_api_keys_account_id_fkey";

-- step 10_switchable: autovacuum of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys" RESET (autovacuum_enabled);

-- step 10_switchable: function keylift.authorize
CREATE OR REPLACE FUNCTION keylift.authorize(token text, api_id bigint)
RETURNS TABLE (key_id bigint, account_id bigint, source text)
LANGUAGE plpgsql STABLE ROWS 1 SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
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
    FROM "public"."account_api_keys" t
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
      FROM "public"."account_api_keys" t
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
  FROM "public"."account_api_keys" t
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

-- step 10_switchable: view keylift.per_api_keys
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

-- where the index is refused: find account keys with one token, to settle them
SELECT t.id::text AS key_id
FROM "public"."account_api_keys" t
WHERE t.token IN (SELECT token FROM "public"."account_api_keys" GROUP BY token HAVING count(*) > 1);

-- where a constraint is refused: find keys without their account, to settle them
SELECT t.id::text AS key_id
FROM "public"."account_api_keys" t
WHERE t.origin_api_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = t.account_id);

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
