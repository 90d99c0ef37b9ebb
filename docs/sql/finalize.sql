-- Made by npm run docs for the default configuration; not to be edited.
-- Stage finalize. Archives the moved per-API rows in pages and removes the mirror. The proof of verify runs before.

-- for each foreign key of another table to the legacy table: does a row point at a moved key?
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
      JOIN keylift.outcomes x ON x.key_id = f.key_id AND x.outcome = 'merge'
  ) AS merged,
  EXISTS (
    SELECT
    FROM other_table f
      JOIN "public"."api_keys" k ON k."id" = f.key_id
    WHERE NOT EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = k."id" AND t.origin_api_id IS NOT NULL)
      AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = k."id" AND x.outcome = 'merge')
  ) AS staying;

-- step 13_archive: refuse to go on outside of finalize
DO $do$
BEGIN
  IF NOT EXISTS (SELECT FROM keylift.migration WHERE state = 'finalizing') THEN
    RAISE EXCEPTION 'this step belongs to keylift finalize, which proves and asks before it'
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
END
$do$;

-- step 13_archive: the archive
CREATE TABLE keylift.archived_keys (LIKE "public"."api_keys", PRIMARY KEY ("id"));
SELECT keylift.revoke_from_others('TABLE', 'keylift.archived_keys'::regclass);
DO $do$
DECLARE
  original CONSTANT pg_catalog.pg_class := (
    SELECT c FROM pg_catalog.pg_class c WHERE c.oid = '"public"."api_keys"'::regclass);
BEGIN
  IF original.relrowsecurity THEN
    ALTER TABLE keylift.archived_keys ENABLE ROW LEVEL SECURITY;
  END IF;
  IF original.relforcerowsecurity THEN
    ALTER TABLE keylift.archived_keys FORCE ROW LEVEL SECURITY;
  END IF;
END
$do$;
CREATE TABLE keylift.late_keys (key_id bigint NOT NULL);
SELECT keylift.revoke_from_others('TABLE', 'keylift.late_keys'::regclass);
ALTER TABLE keylift.late_keys REPLICA IDENTITY FULL;

-- step 13_archive: function keylift.archive_update
CREATE FUNCTION keylift.archive_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $body$
-- Runs after every UPDATE of account_api_keys by the platform, from finalize on. Carries the change to the archived
-- rows, so that a rollback restores them as they stand then.
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
    changes pg_catalog.text[];
  BEGIN
    IF coalesce(current_setting('keylift.writer', true), '') <> ''
       AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
         split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
       ) THEN EXIT body; END IF;
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
          JOIN keylift.archived_keys k ON k."id" = x.key_id
        WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
        ORDER BY k."id"
        FOR NO KEY UPDATE OF k
      $statement$;
    ELSE
      PERFORM FROM new_rows n
        JOIN keylift.outcomes x ON x.account_key_id = n.id
        JOIN keylift.archived_keys k ON k."id" = x.key_id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k;
    END IF;
    -- One statement for all rows of a repeated token: the mirror must not see some of them changed and others not.
    EXECUTE format(
      $statement$
        UPDATE keylift.archived_keys k
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
  END body;
  path := set_config('search_path', caller_path, true);
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.archive_update()'::regprocedure);

-- step 13_archive: function keylift.archive_delete
CREATE FUNCTION keylift.archive_delete()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs after every DELETE from account_api_keys by the platform, from finalize on. Deletes the archived rows of the
-- deleted keys.
#variable_conflict use_column
BEGIN
  IF coalesce(current_setting('keylift.writer', true), '') <> ''
     AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
       split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
     ) THEN RETURN NULL; END IF;
  IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
    EXECUTE $statement$
      SELECT FROM old_rows n
        JOIN keylift.outcomes x ON x.account_key_id = n.id
        JOIN keylift.archived_keys k ON k."id" = x.key_id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
      ORDER BY k."id"
      FOR NO KEY UPDATE OF k
    $statement$;
  ELSE
    PERFORM FROM old_rows n
      JOIN keylift.outcomes x ON x.account_key_id = n.id
      JOIN keylift.archived_keys k ON k."id" = x.key_id
    WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
    ORDER BY k."id"
    FOR NO KEY UPDATE OF k;
  END IF;
  IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
    EXECUTE $statement$
      DELETE FROM keylift.archived_keys k
      USING (
              SELECT d.id AS key_id
              FROM old_rows d
              WHERE d.origin_api_id IS NOT NULL
              UNION ALL
              SELECT x.key_id
              FROM old_rows d JOIN keylift.outcomes x ON x.account_key_id = d.id
              WHERE x.outcome = 'merge'
                AND d.origin_api_id IS NOT NULL
            ) m
      WHERE k."id" = m.key_id
    $statement$;
  ELSE
    DELETE FROM keylift.archived_keys k
    USING (
            SELECT d.id AS key_id
            FROM old_rows d
            WHERE d.origin_api_id IS NOT NULL
            UNION ALL
            SELECT x.key_id
            FROM old_rows d JOIN keylift.outcomes x ON x.account_key_id = d.id
            WHERE x.outcome = 'merge'
              AND d.origin_api_id IS NOT NULL
          ) m
    WHERE k."id" = m.key_id;
  END IF;
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.archive_delete()'::regprocedure);

-- step 13_archive: function keylift.refuse_store_key
CREATE FUNCTION keylift.refuse_store_key()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs before every INSERT and UPDATE of the legacy table, from finalize on. Refuses a new per-API key for a store
-- API, and an existing key that enters the store. A key that finalize left in the table may change as before.
#variable_conflict use_column
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- Last use is written at every call.
    IF record_image_eq(
         ROW(OLD.id, OLD.account_id, OLD.api_id, OLD.name, OLD.token, OLD.created_at,
             OLD.revoked_at, OLD.expires_at),
         ROW(NEW.id, NEW.account_id, NEW.api_id, NEW.name, NEW.token, NEW.created_at,
             NEW.revoked_at, NEW.expires_at)) THEN RETURN NEW; END IF;
  END IF;
  IF coalesce(current_setting('keylift.writer', true), '') <> ''
     AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
       split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
     ) THEN RETURN NEW; END IF;
  IF TG_OP = 'UPDATE' THEN
    -- A key that changes its id takes its lines of the ledger along.
    IF NEW."id" <> OLD."id" THEN
      DELETE FROM keylift.outcomes WHERE key_id = NEW."id" AND outcome IN ('exception', 'hold');
      DELETE FROM keylift.overlaps WHERE key_id = NEW."id";
      UPDATE keylift.outcomes SET key_id = NEW."id" WHERE key_id = OLD."id" AND outcome IN ('exception', 'hold');
      UPDATE keylift.overlaps SET key_id = NEW."id" WHERE key_id = OLD."id";
    END IF;
    -- A key of the store was left behind and may change, also to the token of an account key; only entering is refused.
    IF EXISTS (
         SELECT FROM (SELECT OLD.*) k
           LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
           LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
         WHERE ((a.kind = 'store') IS TRUE) AND true
       ) THEN
      INSERT INTO keylift.overlaps (key_id)
      SELECT x.key_id
      FROM keylift.outcomes x JOIN (SELECT NEW.*) k ON k."id" = x.key_id
      WHERE x.outcome IN ('exception', 'hold')
        AND EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.token = k."token")
      ON CONFLICT DO NOTHING;
      RETURN NEW;
    END IF;
  END IF;
  IF EXISTS (
       SELECT FROM (SELECT NEW.*) k
         LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
         LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
       WHERE ((a.kind = 'store') IS TRUE) AND true
     ) THEN
    RAISE EXCEPTION 'keys of store APIs are made in the account''s Settings now, not in an API'
      USING ERRCODE = 'object_not_in_prerequisite_state',
        HINT = 'Insert account_id, name and token into "public"."account_api_keys" instead.';
  END IF;
  RETURN NEW;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.refuse_store_key()'::regprocedure);

-- step 13_archive: triggers of the archive and the legacy table
CREATE TRIGGER keylift_guard BEFORE INSERT OR UPDATE ON "public"."api_keys"
  FOR EACH ROW
  EXECUTE FUNCTION keylift.refuse_store_key();
CREATE TRIGGER keylift_archive_update AFTER UPDATE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.archive_update();
CREATE TRIGGER keylift_archive_delete AFTER DELETE ON "public"."account_api_keys"
  REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.archive_delete();

-- step 13_archive: note the functions that were installed
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
    'archive_update', 'archive_delete', 'refuse_store_key')
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;

-- keep the triggers of the legacy table as they are
SET CONSTRAINTS ALL IMMEDIATE; LOCK TABLE "public"."api_keys" IN ROW EXCLUSIVE MODE;

-- look for columns that the archive lacks
SELECT EXISTS (
  SELECT a.attnum
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = '"public"."api_keys"'::regclass AND a.attnum > 0 AND NOT a.attisdropped
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_attribute b
      WHERE b.attrelid = 'keylift.archived_keys'::regclass AND b.attname = a.attname AND NOT b.attisdropped
    )
) AS lacks;

-- read the next page of moved rows
SELECT k."id"::text AS id, coalesce(t.id, x.account_key_id)::text AS account_key_id
FROM "public"."api_keys" k
  LEFT JOIN "public"."account_api_keys" t ON t.id = k."id" AND t.origin_api_id IS NOT NULL
  LEFT JOIN keylift.outcomes x ON x.key_id = k."id" AND x.outcome = 'merge'
WHERE ($1::bigint IS NULL OR k."id" > $1::bigint)
  AND (t.id IS NOT NULL OR x.key_id IS NOT NULL)
ORDER BY k."id"
LIMIT 20000;

-- lock their account keys
SELECT
FROM "public"."account_api_keys" t
WHERE t.id = ANY ($1::text[]::bigint[])
ORDER BY t.id
FOR SHARE;

-- lock the rows
SELECT
FROM "public"."api_keys" k
WHERE k."id" IN (
        SELECT t.id
        FROM "public"."account_api_keys" t
        WHERE t.id = ANY ($1::text[]::bigint[]) AND t.origin_api_id IS NOT NULL
        UNION ALL
        SELECT x.key_id
        FROM keylift.outcomes x
        WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($1::text[]::bigint[])
      )
ORDER BY k."id"
FOR UPDATE;

-- read them again
SELECT k."id"::text AS id
FROM "public"."api_keys" k
WHERE k."id" IN (
        SELECT t.id
        FROM "public"."account_api_keys" t
        WHERE t.id = ANY ($1::text[]::bigint[]) AND t.origin_api_id IS NOT NULL
        UNION ALL
        SELECT x.key_id
        FROM keylift.outcomes x
        WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($1::text[]::bigint[])
      );

-- the same for the rows of a page
/* looking for references to rows that leave */
SELECT EXISTS (
  SELECT
  FROM other_table f
    JOIN "public"."api_keys" k ON f.key_id = k."id"
  WHERE k."id" = ANY ($1::text[]::bigint[])
) AS referenced;

-- archive the page
/* archiving a page of rows */
WITH leaving AS MATERIALIZED (
  SELECT k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
         k.revoked_at, k.expires_at
  FROM "public"."api_keys" k
  WHERE k."id" = ANY ($1::text[]::bigint[])
), gone AS (
  DELETE FROM "public"."api_keys" k
  WHERE k."id" = ANY ($1::text[]::bigint[])
    AND (
          SELECT set_config(
            'search_path',
            coalesce(
              nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
            ),
            true)
        ) IS NOT NULL
  RETURNING k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
            k.revoked_at, k.expires_at
), archived AS (
  INSERT INTO keylift.archived_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
                                     expires_at)
  SELECT * FROM gone
  RETURNING id, account_id, api_id, name, token, created_at, last_used_at, revoked_at,
            expires_at
)
SELECT
  (SELECT count(*) FROM leaving)::int AS read,
  (SELECT count(*) FROM gone)::int AS deleted,
  (SELECT count(*) FROM archived)::int AS archived,
  (
    SELECT count(*)
    FROM leaving k
      JOIN archived b ON b."id" = k."id"
    WHERE record_image_ne(
      ROW(k.id, k.account_id, k.api_id, k.name, k.token, k.created_at, k.last_used_at,
          k.revoked_at, k.expires_at),
      ROW(b.id, b.account_id, b.api_id, b.name, b.token, b.created_at, b.last_used_at,
          b.revoked_at, b.expires_at))
  )::int AS different;

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

-- step 14_mirror_off: refuse keys that got their account key behind the pages
DO $do$
BEGIN
  IF EXISTS (
    SELECT
    FROM "public"."api_keys" k
    WHERE k."id" IN (SELECT late.key_id FROM keylift.late_keys late)
      AND (
        EXISTS (SELECT FROM "public"."account_api_keys" t WHERE t.id = k."id" AND t.origin_api_id IS NOT NULL)
        OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = k."id" AND x.outcome = 'merge')
      )
  ) THEN
    RAISE EXCEPTION 'keys moved after their page of finalize' USING ERRCODE = 'KL001';
  END IF;
  DELETE FROM keylift.late_keys;
END
$do$;

-- step 14_mirror_off: check of every token that enters "public"."account_api_keys"
DROP TRIGGER IF EXISTS keylift_born ON "public"."account_api_keys";
CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON "public"."account_api_keys"
  FOR EACH ROW
  EXECUTE FUNCTION keylift.check_token();

-- step 14_mirror_off: index of the archive by token
CREATE INDEX IF NOT EXISTS archived_keys_token ON keylift.archived_keys (("token"));

-- count the archived rows
SELECT count(*) AS archived FROM keylift.archived_keys;

-- finalize --purge: empty the archive
TRUNCATE keylift.archived_keys;

-- finalize --purge: forget merged rows
UPDATE keylift.outcomes SET source = NULL WHERE source IS NOT NULL;
