-- Made by npm run docs for the default configuration; not to be edited.
-- Stage rollback. Takes everything back. Between its steps it synchronises last use as verify does, and switches back.

-- step 14_mirror_off: drop the triggers of the mirror
DROP TRIGGER IF EXISTS keylift_insert ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_update ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_delete ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_truncate ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_update ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_delete ON "public"."account_api_keys";
DO $do$
DECLARE
  part record;
BEGIN
  FOR part IN
    SELECT t.tgname, t.tgrelid::regclass AS name
    FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
      AND t.tgrelid IS DISTINCT FROM to_regclass('"public"."account_api_keys"')
      AND t.tgname IN ('keylift_insert', 'keylift_update', 'keylift_delete', 'keylift_truncate')
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', part.tgname, part.name);
  END LOOP;
END
$do$;

-- step 14_mirror_off: triggers of "public"."api_keys"
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

-- step 14_mirror_off: triggers of "public"."account_api_keys"
CREATE TRIGGER keylift_update AFTER UPDATE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_back_update();
CREATE TRIGGER keylift_delete AFTER DELETE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.mirror_back_delete();

-- step 14_mirror_off: accept per-API keys of store APIs again
DROP TRIGGER IF EXISTS keylift_guard ON "public"."api_keys";

-- step 14_mirror_off: check of native tokens that enter "public"."account_api_keys"
DROP TRIGGER IF EXISTS keylift_born ON "public"."account_api_keys";
CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON "public"."account_api_keys"
  FOR EACH ROW WHEN (NEW.origin_api_id IS NULL)
  EXECUTE FUNCTION keylift.check_token();

-- step 14_mirror_off: drop the index of the archive
DROP INDEX IF EXISTS keylift.archived_keys_token;

-- look whether the archive has rows
SELECT EXISTS (SELECT FROM keylift.archived_keys) AS holds;

-- read the next page of archived rows
SELECT k."id"::text AS id, coalesce(x.account_key_id, k."id")::text AS account_key_id
FROM keylift.archived_keys k
  LEFT JOIN keylift.outcomes x ON x.key_id = k."id" AND x.outcome = 'merge'
WHERE $1::bigint IS NULL OR k."id" > $1::bigint
ORDER BY k."id"
LIMIT 20000;

-- lock their account keys
SELECT
FROM "public"."account_api_keys" t
WHERE t.id = ANY ($1::text[]::bigint[])
ORDER BY t.id
FOR SHARE;

-- read all rows behind them
SELECT k."id"::text AS id, coalesce(x.account_key_id, k."id")::text AS account_key_id,
  a."id" IS NULL OR o."id" IS NULL AS points_nowhere
FROM
  keylift.archived_keys k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  LEFT JOIN keylift.outcomes x ON x.key_id = k."id" AND x.outcome = 'merge'
WHERE k."id" IN (
  SELECT unnest($1::text[]::bigint[])
  UNION
  SELECT m.key_id
  FROM keylift.outcomes m
  WHERE m.outcome = 'merge' AND m.account_key_id = ANY ($1::text[]::bigint[])
);

-- restore the page
/* bringing back a page of the archive */
INSERT INTO "public"."api_keys" (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
                                 expires_at)
OVERRIDING SYSTEM VALUE
SELECT k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
       k.revoked_at, k.expires_at
FROM keylift.archived_keys k
WHERE k."id" = ANY ($1::text[]::bigint[])
  AND (
        SELECT set_config(
          'search_path',
          coalesce(
            nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
          ),
          true)
      ) IS NOT NULL;

-- where the legacy table refuses a row: restore the rows one by one
/* bringing back archived rows one by one */
DO $restore$
#variable_conflict use_column
<<own>>
DECLARE
  listed json;
  account_key bigint;
  ids bigint[];
  whole bigint[];
  complete bigint[];
  state text;
  constraint_name text;
  path text;
BEGIN
  FOR listed IN SELECT json_array_elements('[]'::json) LOOP
    account_key := (own.listed ->> 'account_key_id')::bigint;
    ids := ARRAY(SELECT json_array_elements_text(own.listed -> 'ids')::bigint);
    BEGIN
      INSERT INTO "public"."api_keys" (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
                                       expires_at)
      OVERRIDING SYSTEM VALUE
      SELECT k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
             k.revoked_at, k.expires_at
      FROM keylift.archived_keys k
      WHERE k."id" = ANY (own.ids)
        AND (
              SELECT set_config(
                'search_path',
                coalesce(
                  nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                ),
                true)
            ) IS NOT NULL;
      path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      CONTINUE;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, constraint_name = CONSTRAINT_NAME;
    END;
    complete := ARRAY(SELECT k."id"
                      FROM
                        keylift.archived_keys k
                        LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
                        LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
                      WHERE k."id" = ANY (own.ids) AND a."id" IS NOT NULL AND o."id" IS NOT NULL);
    IF cardinality(own.complete) BETWEEN 1 AND cardinality(own.ids) - 1 THEN
      whole := own.ids;
      ids := own.complete;
      BEGIN
        INSERT INTO "public"."api_keys" (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
                                         expires_at)
        OVERRIDING SYSTEM VALUE
        SELECT k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
               k.revoked_at, k.expires_at
        FROM keylift.archived_keys k
        WHERE k."id" = ANY (own.ids)
          AND (
                SELECT set_config(
                  'search_path',
                  coalesce(
                    nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
                  ),
                  true)
              ) IS NOT NULL;
        path := pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
        ids := ARRAY(SELECT unnest(own.whole) EXCEPT SELECT unnest(own.complete));
      EXCEPTION WHEN integrity_constraint_violation OR data_exception THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, constraint_name = CONSTRAINT_NAME;
        ids := own.whole;
      END;
    END IF;
    INSERT INTO keylift.left_keys (key_id, account_key_id, attempt, reason, sqlstate, constraint_name, source)
    SELECT k."id", own.account_key, (SELECT m.attempt FROM keylift.migration m),
      CASE
        WHEN a."id" IS NULL THEN 'missing_api'
        WHEN o."id" IS NULL THEN 'missing_account'
        ELSE CASE
               WHEN own.state IN ('23505', '23P01') THEN 'duplicate'
               WHEN own.state = '23514' THEN 'check'
               WHEN own.state = '23502' THEN 'not_null'
               WHEN own.state = '23503' THEN 'foreign_key'
               ELSE 'value'
             END
      END,
      own.state, nullif(own.constraint_name, ''), row_to_json(k)
    FROM
      keylift.archived_keys k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."id" = ANY (own.ids);
  END LOOP;
END
$restore$;

-- compare the restored rows with the archive
/* comparing restored rows with the archive */
SELECT count(*)::int AS rows
FROM keylift.archived_keys k
  JOIN "public"."api_keys" b ON b."id" = k."id"
WHERE k."id" = ANY ($1::text[]::bigint[])
  AND record_image_eq(
    ROW(k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
        k.revoked_at, k.expires_at),
    ROW(b.id, b.account_id, b.api_id, b.name, b.token, b.created_at, b.last_used_at,
        b.revoked_at, b.expires_at));

-- delete the page from the archive
DELETE FROM keylift.archived_keys k
WHERE k."id" = ANY ($1::text[]::bigint[]);

-- make native keys of account keys that stay
UPDATE "public"."account_api_keys" t
SET origin_api_id = NULL
WHERE t.id = ANY ($1::text[]::bigint[]) AND t.origin_api_id IS NOT NULL;

-- step 13_archive: refuse to drop an archive that holds rows
DO $do$
BEGIN
  IF to_regclass('keylift.archived_keys') IS NULL THEN RETURN; END IF;
  IF EXISTS (SELECT FROM keylift.archived_keys) THEN
    RAISE EXCEPTION 'the archive still holds per-API keys; keylift rollback brings them back first';
  END IF;
END
$do$;

-- step 13_archive: drop the archive, its triggers and functions
DROP TRIGGER IF EXISTS keylift_guard ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_archive_update ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_archive_delete ON "public"."account_api_keys";
DROP FUNCTION IF EXISTS keylift.archive_update();
DROP FUNCTION IF EXISTS keylift.archive_delete();
DROP FUNCTION IF EXISTS keylift.refuse_store_key();
DROP TABLE IF EXISTS keylift.archived_keys;
DROP TABLE IF EXISTS keylift.late_keys;

-- keep account keys whose API and per-API key are gone
/* rollback: keep the account keys whose API and per-API key are gone */
WITH kept AS (
  UPDATE "public"."account_api_keys" t
  SET origin_api_id = NULL
  WHERE t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM "public"."apis" a WHERE a."id" = t.origin_api_id)
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = t.id)
    AND NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."token" = t.token)
  RETURNING t.id
)
INSERT INTO keylift.left_keys (key_id, account_key_id, attempt, reason)
SELECT kept.id, kept.id, (SELECT m.attempt FROM keylift.migration m), 'missing_api'
FROM kept;

-- for each foreign key of another table to the new table: does a row point at a moved key?
SELECT
  EXISTS (
    SELECT
    FROM other_table f
      JOIN "public"."account_api_keys" t ON t.id = f.key_id
    WHERE t.origin_api_id IS NOT NULL
  ) AS moved,
  EXISTS (
    SELECT
    FROM other_table f
      JOIN "public"."account_api_keys" t ON t.id = f.key_id
    WHERE t.origin_api_id IS NULL
  ) AS staying;

-- look for foreign keys that need an index which goes
/* rollback: look for foreign keys that need the primary key or the unique token of the new table */
SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS constraint
FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid
WHERE c.contype = 'f' AND c.confrelid = $1::regclass AND c.conparentid = 0
  AND (i.indisprimary OR i.indexrelid = to_regclass($2))
ORDER BY 1, 2;

-- take a page of account keys out
/* taking account keys out of the new table */
WITH page AS MATERIALIZED (
  SELECT t.id
  FROM "public"."account_api_keys" t
  WHERE ($1::bigint IS NULL OR t.id > $1::bigint) AND t.origin_api_id IS NOT NULL
  ORDER BY t.id
  LIMIT $2
), gone AS (
  DELETE FROM "public"."account_api_keys" t
  WHERE t.id IN (SELECT page.id FROM page)
    AND (
          SELECT set_config(
            'search_path',
            coalesce(
              nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
            ),
            true)
        ) IS NOT NULL
  RETURNING 1
)
SELECT
  (SELECT count(*) FROM gone)::int AS keys,
  (SELECT page.id::text FROM page ORDER BY page.id DESC LIMIT 1) AS last;

-- before the mirror is on: let moved keys go
CREATE OR REPLACE FUNCTION keylift.refuse_moving()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Replaced in the transaction that deletes every moved key; no other session sees it.
#variable_conflict use_column
BEGIN
  RETURN OLD;
END
$body$;

-- before the mirror is on: take all account keys out
DELETE FROM "public"."account_api_keys"
WHERE origin_api_id IS NOT NULL
  AND (
        SELECT set_config(
          'search_path',
          coalesce(
            nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
          ),
          true)
      ) IS NOT NULL;

-- vacuum the new table
VACUUM "public"."account_api_keys";

-- where the tables were restored: compare the archive
/* rollback: look for archived rows that the legacy table does not have */
SELECT NOT EXISTS (
  SELECT
  FROM keylift.archived_keys k
  WHERE NOT EXISTS (SELECT FROM "public"."api_keys" r WHERE r."id" = k."id")
) AS restored;

-- where the tables were restored: drop what is left
/* rollback: drop what is left of a migration whose tables were restored */
DO $do$
DECLARE
  statement text;
BEGIN
  FOR statement IN
    SELECT format('DROP VIEW keylift.%I CASCADE', c.relname)
    FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'keylift'::regnamespace AND c.relkind = 'v'
    UNION ALL
    SELECT format('DROP FUNCTION %s CASCADE', p.oid::regprocedure)
    FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = 'keylift'::regnamespace AND p.proname NOT IN ('own_write', 'revoke_from_others')
  LOOP
    EXECUTE statement;
  END LOOP;
  DROP TYPE IF EXISTS keylift.verdict;
  DROP SEQUENCE IF EXISTS keylift.key_ids;
  DROP TABLE IF EXISTS keylift.archived_keys, keylift.late_keys;
  DELETE FROM keylift.knex_migrations WHERE name <> '01_ledger';
END
$do$;

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
-- Answers from the per-API keys alone: the earliest alive key with this token for this API. A native key opens every
-- store API. No row for an unknown API.
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
  SELECT ((a.kind = 'store') IS TRUE)
  INTO in_store
  FROM "public"."apis" a
  WHERE a."id" = own.api;
  IF NOT FOUND THEN RETURN; END IF;
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
  IF in_store THEN
    SELECT t.id, t.account_id, 'account'
    INTO authorize.key_id, authorize.account_id, authorize.source
    FROM
      "public"."account_api_keys" t
    WHERE t.token = own.sent
      AND (t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()))
      AND t.origin_api_id IS NULL;
    IF FOUND THEN RETURN NEXT; END IF;
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
  AND t.origin_api_id IS NULL
  -- A held key or an exception answers for its API itself, unless a row behind the account key is earlier.
  AND NOT EXISTS (
    SELECT
    FROM "public"."api_keys" k
    WHERE k."token" = t.token AND k."api_id" = a."id"
      AND (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
      AND true
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

-- step 10_constraints: drop the constraints of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys"
  DROP CONSTRAINT IF EXISTS "account_api_keys_account_id_fkey",
  DROP CONSTRAINT IF EXISTS "account_api_keys_scope_check",
  DROP CONSTRAINT IF EXISTS "account_api_keys_token_check";

-- step 09_mirror: drop the triggers of the mirror
DROP TRIGGER IF EXISTS keylift_insert ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_update ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_delete ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_truncate ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_update ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_delete ON "public"."account_api_keys";
DO $do$
DECLARE
  part record;
BEGIN
  FOR part IN
    SELECT t.tgname, t.tgrelid::regclass AS name
    FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
      AND t.tgrelid IS DISTINCT FROM to_regclass('"public"."account_api_keys"')
      AND t.tgname IN ('keylift_insert', 'keylift_update', 'keylift_delete', 'keylift_truncate')
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', part.tgname, part.name);
  END LOOP;
END
$do$;

-- step 09_mirror: drop the trigger of "public"."account_api_keys" that refuses an origin
DROP TRIGGER IF EXISTS keylift_guard_insert ON "public"."account_api_keys";

-- step 09_mirror: drop the functions of the mirror
DROP FUNCTION IF EXISTS keylift.mirror_insert();
DROP FUNCTION IF EXISTS keylift.mirror_update();
DROP FUNCTION IF EXISTS keylift.mirror_delete();
DROP FUNCTION IF EXISTS keylift.mirror_back_update();
DROP FUNCTION IF EXISTS keylift.mirror_back_delete();

-- step 09_mirror: remove the account keys that are left
DELETE FROM "public"."account_api_keys" WHERE origin_api_id IS NOT NULL;
UPDATE keylift.migration SET mirror_on = false;

-- step 08_primary_key: drop the primary key of "public"."account_api_keys"
ALTER TABLE "public"."account_api_keys" DROP CONSTRAINT IF EXISTS "account_api_keys_pkey", REPLICA IDENTITY FULL;
-- Knex records the way back after its commit, so this may run twice.
DROP INDEX IF EXISTS "public"."account_api_keys_native_id";
CREATE UNIQUE INDEX "account_api_keys_native_id" ON "public"."account_api_keys" (id) WHERE origin_api_id IS NULL;

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
      AND NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = NEW.id AND t.origin_api_id IS NULL);
    -- Ids that were given by hand are ahead of the sequence: it is set to the end of the block that is taken.
    SELECT taken.id
    INTO free
    FROM (
      SELECT k."id" AS id FROM "public"."api_keys" k WHERE k."id" >= NEW.id
      UNION ALL
      SELECT t.id FROM "public"."account_api_keys" t WHERE t.id >= NEW.id AND t.origin_api_id IS NULL
    ) taken
    WHERE CASE WHEN taken.id::numeric < 9223372036854775807 THEN
      NOT EXISTS (SELECT FROM "public"."api_keys" n WHERE n."id" = taken.id + 1)
      AND NOT EXISTS (SELECT FROM "public"."account_api_keys" n WHERE n.id = taken.id + 1 AND n.origin_api_id IS NULL)
    END
    ORDER BY taken.id
    LIMIT 1;
    PERFORM setval(ids, free::bigint);
  END LOOP;
  RETURN NEW;
END
$body$;

-- step 07_indexes: drop index "account_api_keys_token_key"
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_token_key";

-- step 07_indexes: drop index "account_api_keys_token_lookup"
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_token_lookup";

-- step 07_indexes: drop index "account_api_keys_account_id_created_at"
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_account_id_created_at";

-- step 07_indexes: drop index "account_api_keys_pkey"
DROP INDEX CONCURRENTLY IF EXISTS "public"."account_api_keys_pkey";

-- step 06_settle: drop the functions that settle keys
DROP FUNCTION IF EXISTS keylift.platform_path(text, name[]);
DROP FUNCTION IF EXISTS keylift.crowded_tokens(bigint, text[]);
DROP FUNCTION IF EXISTS keylift.settle(bigint[], text[], boolean);
DROP FUNCTION IF EXISTS keylift.settle_few(bigint[], text[], boolean, text[]);
DROP FUNCTION IF EXISTS keylift.settle_many(bigint[], text[], boolean, text[]);
DROP FUNCTION IF EXISTS keylift.mirror_one_insert(bigint, text);
DROP FUNCTION IF EXISTS keylift.mirror_one_update(bigint, text, text);
DROP FUNCTION IF EXISTS keylift.mirror_one_delete(bigint, text);
DROP FUNCTION IF EXISTS keylift.new_table_may_refuse();
DROP FUNCTION IF EXISTS keylift.settle_or_except(bigint[], text[], boolean);
DROP FUNCTION IF EXISTS keylift.settle_ids(bigint[]);
DROP FUNCTION IF EXISTS keylift.apply_change_log(integer);
DROP FUNCTION IF EXISTS keylift.mirror_number();
DROP TYPE IF EXISTS keylift.verdict;

-- step 05_change_log: remove the account keys, ranges and entries that are left
-- Before any lock of the legacy table: the rows may be many.
SELECT set_config('keylift.writer', keylift.own_write('stage', 1), true);
DELETE FROM "public"."account_api_keys" WHERE origin_api_id IS NOT NULL;
DELETE FROM keylift.batches WHERE open;
DELETE FROM keylift.listed_keys;

-- step 05_change_log: drop the triggers of the change log
DROP TRIGGER IF EXISTS keylift_log_insert ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_log_update ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_log_delete ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_truncate ON "public"."api_keys";
DROP TRIGGER IF EXISTS keylift_moving ON "public"."account_api_keys";

-- step 05_change_log: drop the triggers of "public"."account_api_keys" that stay
DROP TRIGGER IF EXISTS keylift_born ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_truncate ON "public"."account_api_keys";

-- step 05_change_log: drop the guards of "public"."account_api_keys"
DROP TRIGGER IF EXISTS keylift_guard_insert ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_guard_update ON "public"."account_api_keys";
DROP TRIGGER IF EXISTS keylift_check_id ON "public"."account_api_keys";

-- step 05_change_log: drop the functions of the change log
DROP FUNCTION IF EXISTS keylift.log_change();
DROP FUNCTION IF EXISTS keylift.refuse_moving();
DROP FUNCTION IF EXISTS keylift.check_token();
DROP FUNCTION IF EXISTS keylift.guard_insert();
DROP FUNCTION IF EXISTS keylift.guard_update();
DROP FUNCTION IF EXISTS keylift.guard_native_id();
DROP FUNCTION IF EXISTS keylift.refuse_truncate();
DELETE FROM keylift.change_log;
ALTER TABLE "public"."account_api_keys" RESET (autovacuum_enabled);

-- step 04_legacy_token_index: drop index "api_keys_keylift_token"
DROP INDEX CONCURRENTLY IF EXISTS "public"."api_keys_keylift_token";

-- forget the migration
DELETE FROM keylift.outcomes;

-- forget the migration
DELETE FROM keylift.overlaps;

-- forget the migration
DELETE FROM keylift.listed_keys;

-- forget the migration
DELETE FROM keylift.batches WHERE open;

-- forget the migration
UPDATE keylift.batches SET state = 'taken_back' WHERE state = 'done';

-- list the native keys
SELECT t.id::text AS key_id, t.account_id::text AS account_id, t.name,
  left(encode(sha256(convert_to(t.token::text, 'UTF8')), 'hex'), 12) AS fingerprint
FROM "public"."account_api_keys" t
WHERE t.origin_api_id IS NULL
  AND NOT EXISTS (
    SELECT FROM keylift.left_keys x
    WHERE x.attempt = (SELECT m.attempt FROM keylift.migration m) AND x.key_id = t.id
  )
ORDER BY t.id;

-- list the keys that stay
SELECT x.key_id::text AS key_id, x.reason, x.constraint_name AS constraint
FROM keylift.left_keys x
WHERE x.attempt = (SELECT m.attempt FROM keylift.migration m)
ORDER BY x.key_id;

-- rollback --accounts: find the account keys
SELECT t.id::text AS key_id
FROM "public"."account_api_keys" t
WHERE t.origin_api_id IS NOT NULL AND t.account_id = ANY ($1::text[]::bigint[]);

-- rollback --accounts: find the per-API keys, to settle them
SELECT k."id"::text AS key_id
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE k."account_id" = ANY ($1::text[]::bigint[]);
