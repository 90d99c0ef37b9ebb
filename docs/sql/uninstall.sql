-- Made by npm run docs for the default configuration; not to be edited.
-- Stage uninstall. Removes everything that keylift created, in one transaction, after a rollback or a purge.

-- lock the list of runs
LOCK TABLE keylift.runs, keylift.control IN ACCESS EXCLUSIVE MODE;

-- lock the new table
LOCK TABLE "public"."account_api_keys" IN ACCESS EXCLUSIVE MODE;

-- after a rollback: list the account keys that it kept; if there are any, refuse
SELECT t.id::text AS key_id, t.account_id::text AS account_id,
  (SELECT x.reason FROM keylift.left_keys x WHERE x.key_id = t.id ORDER BY x.attempt DESC LIMIT 1) AS reason,
  (count(*) OVER ())::int AS total
FROM "public"."account_api_keys" t
ORDER BY t.id
LIMIT $1;

-- list the objects that keylift did not create; if there are any, refuse
-- Its other forms: after a purge the new table stays.
/* uninstall: looking for objects that keylift did not create */
SELECT pg_describe_object(d.classid, d.objid, 0) AS description
FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_catalog.pg_constraint n ON d.classid = 'pg_constraint'::regclass AND n.oid = d.objid
  LEFT JOIN pg_catalog.pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
  LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
  LEFT JOIN pg_catalog.pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
  LEFT JOIN pg_catalog.pg_class c ON c.oid = coalesce(
    r.ev_class, n.conrelid, f.adrelid, p.polrelid, CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid END)
  LEFT JOIN pg_catalog.pg_proc u ON d.classid = 'pg_proc'::regclass AND u.oid = d.objid
  LEFT JOIN pg_catalog.pg_type y ON d.classid = 'pg_type'::regclass AND y.oid = d.objid
WHERE d.deptype = 'n'
  AND (
    d.refclassid = 'pg_class'::regclass
      AND d.refobjid IN (
        SELECT o.oid FROM pg_catalog.pg_class o
        WHERE o.relnamespace = to_regnamespace('keylift') OR o.oid = to_regclass('"public"."account_api_keys"')::oid)
    OR d.refclassid = 'pg_proc'::regclass
      AND d.refobjid IN (SELECT o.oid FROM pg_catalog.pg_proc o WHERE o.pronamespace = to_regnamespace('keylift'))
    OR d.refclassid = 'pg_type'::regclass
      AND d.refobjid IN (
        SELECT o.oid FROM pg_catalog.pg_type o
          LEFT JOIN pg_catalog.pg_type e ON e.oid = o.typelem
        WHERE o.typnamespace = to_regnamespace('keylift')
          OR to_regclass('"public"."account_api_keys"')::oid IN (o.typrelid, e.typrelid)))
  -- keylift's own: in its schema, of its table, or one of its triggers.
  AND c.relnamespace IS DISTINCT FROM to_regnamespace('keylift')::oid
  AND (c.oid IS NULL OR c.oid IS DISTINCT FROM to_regclass('"public"."account_api_keys"')::oid)
  AND u.pronamespace IS DISTINCT FROM to_regnamespace('keylift')::oid
  AND y.typnamespace IS DISTINCT FROM to_regnamespace('keylift')::oid
  AND (t.oid IS NULL OR t.tgname NOT LIKE 'keylift\_%')
  AND d.classid <> 'pg_extension'::regclass
UNION
SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0)
FROM pg_catalog.pg_trigger t
WHERE t.tgrelid = to_regclass('"public"."account_api_keys"')::oid AND NOT t.tgisinternal
  AND t.tgname NOT LIKE 'keylift\_%'
UNION
SELECT pg_describe_object('pg_publication_rel'::regclass, r.oid, 0)
FROM pg_catalog.pg_publication_rel r
WHERE r.prrelid = to_regclass('"public"."account_api_keys"')::oid
UNION
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) || ', whose text names keylift'
FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('keylift', 'pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_temp\_%'
  AND p.prosrc ~* '\mkeylift"?\s*\.'
UNION
SELECT pg_describe_object('pg_class'::regclass, c.oid, 0)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = to_regnamespace('keylift') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND c.relname NOT IN (
    'migration', 'runs', 'control', 'batches', 'outcomes', 'listed_keys',
    'change_log', 'proof_duplicates', 'holds', 'switch_rule', 'switched_accounts',
    'overlaps', 'left_keys', 'proofs', 'events', 'installed_functions',
    'writer_secret', 'archived_keys', 'late_keys', 'per_api_keys', 'key_ids',
    'knex_migrations', 'knex_migrations_lock')
  AND NOT EXISTS (
    -- The sequence of an identity or serial column goes with its table.
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i')
      AND d.refclassid = 'pg_class'::regclass)
UNION
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0)
FROM pg_catalog.pg_proc p
WHERE p.pronamespace = to_regnamespace('keylift')
  AND p.proname NOT IN (
    'apply_change_log', 'archive_delete', 'archive_update', 'authorize',
    'check_token', 'crowded_tokens', 'draw_key_id', 'guard_insert',
    'guard_native_id', 'guard_update', 'log_change', 'mirror_back_delete',
    'mirror_back_update', 'mirror_delete', 'mirror_insert', 'mirror_number',
    'mirror_one_delete', 'mirror_one_insert', 'mirror_one_update', 'mirror_update',
    'new_table_may_refuse', 'own_write', 'platform_path', 'refuse_moving',
    'refuse_store_key', 'refuse_truncate', 'revoke_from_others', 'settle',
    'settle_few', 'settle_ids', 'settle_many', 'settle_or_except')
ORDER BY 1;

-- after a rollback: remove everything
-- Its other forms: the new table is left out where there is none.
DO $do$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT t.tgname, t.tgrelid::regclass AS name
    FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.name);
  END LOOP;
END
$do$;
DROP INDEX IF EXISTS "public"."api_keys_keylift_token";
DROP SCHEMA keylift CASCADE;
DROP TABLE "public"."account_api_keys";

-- after a purge: remove everything but the new table
DO $do$
DECLARE
  found record;
BEGIN
  FOR found IN
    SELECT t.tgname, t.tgrelid::regclass AS name
    FROM pg_catalog.pg_trigger t
      JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
    WHERE p.pronamespace = to_regnamespace('keylift') AND NOT t.tgisinternal AND t.tgparentid = 0
  LOOP
    EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.name);
  END LOOP;
END
$do$;
ALTER TABLE "public"."account_api_keys" ALTER COLUMN id SET DEFAULT nextval('public.api_keys_id_seq'::regclass);
DO $do$
DECLARE
  ids CONSTANT regclass := 'public.api_keys_id_seq'::regclass;
  found record;
BEGIN
  -- Ids that were given by hand may be ahead of the sequence.
  PERFORM setval(ids, taken.id::bigint)
  FROM (
    SELECT max(every.id) AS id
    FROM (
      SELECT k."id" AS id FROM "public"."api_keys" k
      UNION ALL
      SELECT t.id FROM "public"."account_api_keys" t
    ) every
  ) taken
  WHERE taken.id::numeric > coalesce(pg_sequence_last_value(ids), 0)
    AND taken.id::numeric < 9223372036854775807;
  FOR found IN
    SELECT a.grantee
    FROM pg_catalog.pg_class c, aclexplode(c.relacl) a
    WHERE c.oid = '"public"."account_api_keys"'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
    UNION
    SELECT a.grantee
    FROM pg_catalog.pg_class c
      JOIN pg_catalog.pg_attribute b ON b.attrelid = c.oid,
      aclexplode(b.attacl) a
    WHERE c.oid = '"public"."account_api_keys"'::regclass AND a.privilege_type = 'INSERT' AND a.grantee <> c.relowner
  LOOP
    EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', ids,
      CASE found.grantee WHEN 0 THEN 'PUBLIC' ELSE found.grantee::regrole::text END);
  END LOOP;
END
$do$;
DROP INDEX IF EXISTS "public"."api_keys_keylift_token";
DROP SCHEMA keylift CASCADE;

-- after a purge: count its account keys
SELECT count(*) AS keys FROM "public"."account_api_keys";
