-- Made by npm run docs for the default configuration; not to be edited.
-- Stage expand. Adds the ledger, the new table, authorize and the change log. Nothing that the platform reads changes.

-- read what the mapping means in this database
WITH RECURSIVE mapped AS (
  -- No row is read, and no expression is computed: only the types matter.
  SELECT
    k."id" AS id,
    k."token" AS token,
    k."api_id" AS api,
    k."account_id" AS account,
    a."id" AS api_id,
    k."last_used_at" AS last_used_at,
    k."expires_at" AS expires_at,
    k."created_at" AS created_at,
    ROW(k."id", k."token", k."api_id", k."account_id", k."name", k."created_at",
        k."last_used_at", k."revoked_at", k."expires_at", a."slug", o."name") AS all_values,
    ROW(((a.kind = 'store') IS TRUE), true, (length(k."token") > 0) IS TRUE,
        (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now())),
        k."created_at" <= now(), k."last_used_at" <= now(), k."revoked_at" <= now()) AS conditions,
    (
      SELECT ROW(k."id", k."token", k."api_id", k."account_id", k."name", k."created_at",
                 k."last_used_at", k."revoked_at", k."expires_at", true) IS NULL
      FROM "public"."api_keys" k
      WHERE false
    ) AS of_key_alone,
    (SELECT a."slug" IS NULL FROM "public"."apis" a WHERE false) AS of_api_alone,
    (SELECT ((a.kind = 'store') IS TRUE)
     FROM "public"."apis" a WHERE false) AS of_api_and_account,
    (SELECT o."name" IS NULL FROM "public"."accounts" o WHERE false) AS of_account_alone
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
    LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
  WHERE false
), named (name, type) AS (
  VALUES
    ('id', pg_catalog.pg_typeof((SELECT id FROM mapped))),
    ('token', pg_catalog.pg_typeof((SELECT token FROM mapped))),
    ('api', pg_catalog.pg_typeof((SELECT api FROM mapped))),
    ('account', pg_catalog.pg_typeof((SELECT account FROM mapped))),
    ('api_id', pg_catalog.pg_typeof((SELECT api_id FROM mapped))),
    ('last_used_at', pg_catalog.pg_typeof((SELECT last_used_at FROM mapped))),
    ('expires_at', pg_catalog.pg_typeof((SELECT expires_at FROM mapped))),
    ('created_at', pg_catalog.pg_typeof((SELECT created_at FROM mapped)))
), below_domains AS (
  SELECT n.name, t.oid, t.typbasetype, t.typcollation <> 0 AS collated
  FROM named n
    JOIN pg_catalog.pg_type t ON t.oid = n.type
  UNION ALL
  SELECT d.name, t.oid, t.typbasetype, d.collated
  FROM below_domains d
    JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype
)
SELECT
  pg_catalog.json_object_agg(name, (
                                     SELECT
                                       CASE
                                         WHEN n.nspname = 'pg_catalog' THEN pg_catalog.format_type(t.oid, NULL)
                                         ELSE pg_catalog.format('%I.%I', n.nspname, t.typname)
                                       END
                                     FROM pg_catalog.pg_type t
                                       JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
                                     WHERE t.oid = below_domains.oid
                                   )) AS types,
  pg_catalog.json_object_agg(name, collated) AS collated,
  (
    SELECT m.amname
    FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
      JOIN pg_catalog.pg_am m ON m.oid = c.relam
    WHERE i.indrelid = '"public"."api_keys"'::regclass AND i.indisvalid AND i.indpred IS NULL
      AND a.attname = 'token'
    ORDER BY m.amname <> 'btree', m.amname
    LIMIT 1
  )::text AS token_index,
  (
    EXISTS (
      SELECT
      FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::smallint[])
      WHERE i.indrelid = '"public"."api_keys"'::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = 'token'
    )
    OR EXISTS (
      SELECT
      FROM pg_catalog.pg_attribute a
      WHERE a.attrelid = '"public"."api_keys"'::regclass AND a.attname = 'token'
        AND (
          (a.atttypmod - 4) * pg_catalog.pg_encoding_max_length(
            (SELECT d.encoding FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
          ) BETWEEN 1 AND 2600
          OR a.attcollation IN (SELECT c.oid FROM pg_catalog.pg_collation c WHERE NOT c.collisdeterministic)
        )
    )
    OR NOT EXISTS (
      SELECT
      FROM below_domains d
      WHERE d.name = 'token' AND d.oid IN ('text'::regtype, 'character varying'::regtype, 'bytea'::regtype)
    )
  ) AS token_fits_btree,
  (
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s), ', ')
    FROM pg_catalog.unnest(current_schemas(false)) s
  ) AS path
FROM below_domains
WHERE typbasetype = 0;

-- try the expressions with the names of pg_catalog alone
SELECT k."id", k."token", k."name", k."created_at", k."last_used_at", k."revoked_at",
       k."expires_at", k."api_id", k."account_id", ((a.kind = 'store') IS TRUE), true,
       (length(k."token") > 0) IS TRUE,
       (k."revoked_at" IS NULL AND (k."expires_at" IS NULL OR k."expires_at" > now()))
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE false;
SELECT a."slug", o."name"
FROM "public"."apis" a, "public"."accounts" o
WHERE false;

-- can the keys be told apart?
SELECT
  EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" IS NULL) AS missing,
  false AS repeated;

-- are ids made of tokens?
/* looking whether ids are tokens */
SELECT coalesce(bool_and(hit) AND count(*) > 1, false) AS tokens
FROM (
  SELECT k."id" AS id, k."token" AS token
  FROM "public"."api_keys" k
  WHERE (octet_length(k."token") > 0) IS TRUE
  LIMIT 1000
) s
  CROSS JOIN LATERAL (
    SELECT lower(s.token::text COLLATE "default") IN (
      lower(s.id::text COLLATE "default"),
      encode(convert_to(s.id::text, getdatabaseencoding()), 'hex'),
      md5(convert_to(s.id::text, getdatabaseencoding())),
      encode(sha256(convert_to(s.id::text, getdatabaseencoding())), 'hex'))
  ) one (hit);

-- would account keys open APIs of other accounts?
/* counting the store APIs whose keys belong to one account */
WITH asked AS MATERIALIZED (
  SELECT DISTINCT a."id" AS api_id, k."account_id" AS account_id
  FROM
    "public"."api_keys" k
    LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  WHERE true
    AND ((a.kind = 'store') IS TRUE)
    AND k."account_id" IS NOT NULL
    AND (SELECT count(*) FROM (SELECT FROM "public"."apis" a LIMIT 20) some_apis) = 20
), by_api AS MATERIALIZED (
  SELECT api_id, count(*) = 1 AS owned
  FROM asked
  GROUP BY api_id
), owned AS MATERIALIZED (
  SELECT api_id, account_id
  FROM asked
  WHERE api_id IN (SELECT api_id FROM by_api WHERE owned)
)
SELECT (SELECT count(*) FROM by_api) AS apis,
  (SELECT count(*) FROM owned) AS owned,
  (SELECT count(DISTINCT account_id) FROM owned) AS owners,
  (SELECT count(*) FROM owned) AS looked_at, (SELECT count(*) FROM owned) AS opened_by_others;

-- with a list of keys: which of them do not exist?
SELECT given.id
FROM unnest($1::text[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM "public"."api_keys" k WHERE k."id" = given.id::bigint);

-- with a list of accounts: which of them do not exist?
SELECT given.id
FROM unnest($1::text[]) AS given (id)
WHERE NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = given.id::bigint);

-- step 01_ledger: schema keylift
DO $do$
DECLARE
  other text;
BEGIN
  IF to_regnamespace('keylift') IS NOT NULL THEN
    IF EXISTS (
      SELECT
      FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) x
      WHERE n.nspname = 'keylift' AND x.grantee = 0
    ) THEN
      REVOKE ALL ON SCHEMA keylift FROM PUBLIC;
    END IF;
    RETURN;
  END IF;
  CREATE SCHEMA keylift;
  FOR other IN
    SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END
    FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) x
    WHERE n.nspname = 'keylift' AND x.grantee <> n.nspowner
  LOOP
    EXECUTE format('REVOKE ALL ON SCHEMA keylift FROM %s CASCADE', other);
  END LOOP;
END
$do$;

-- step 01_ledger: function keylift.revoke_from_others
CREATE FUNCTION keylift.revoke_from_others(kind text, object oid, original oid DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $body$
-- Takes every right on a new object, and on the sequences of its identity columns, from all roles but the owner. Of
-- a table that has an original, a role keeps the rights that it has on the original, if that has no row-level
-- security.
DECLARE
  statements text[];
  statement text;
  path text;
BEGIN
  statements := ARRAY(
    SELECT DISTINCT format(
      'REVOKE %s ON %s %s FROM %s CASCADE',
      CASE WHEN revoke_from_others.original IS NULL THEN 'ALL' ELSE x.privilege_type END, o.kind, o.name,
      CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END)
    FROM (
      SELECT revoke_from_others.kind, c.oid::regclass::text, c.relowner, c.relacl
      FROM pg_class c
      WHERE revoke_from_others.kind IN ('TABLE', 'SEQUENCE') AND c.oid = revoke_from_others.object
      UNION ALL
      SELECT 'SEQUENCE', c.oid::regclass::text, c.relowner, c.relacl
      FROM pg_depend d
        JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'
      WHERE revoke_from_others.kind = 'TABLE' AND d.classid = 'pg_class'::regclass
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid = revoke_from_others.object
      UNION ALL
      SELECT revoke_from_others.kind, c.oid::regclass::text, c.relowner, a.attacl
      FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
      WHERE revoke_from_others.kind = 'TABLE' AND c.oid = revoke_from_others.object
      UNION ALL
      SELECT revoke_from_others.kind, p.oid::regprocedure::text, p.proowner,
        coalesce(p.proacl, acldefault('f', p.proowner))
      FROM pg_proc p
      WHERE revoke_from_others.kind = 'FUNCTION' AND p.oid = revoke_from_others.object
      UNION ALL
      SELECT revoke_from_others.kind, t.oid::regtype::text, t.typowner,
        coalesce(t.typacl, acldefault('T', t.typowner))
      FROM pg_type t
      WHERE revoke_from_others.kind = 'TYPE' AND t.oid = revoke_from_others.object
    ) o (kind, name, owner, acl), aclexplode(o.acl) x
    WHERE x.grantee <> o.owner
      AND NOT coalesce(
        x.grantee <> 0 AND o.kind = 'TABLE'
        AND NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = revoke_from_others.original)
        AND has_table_privilege(x.grantee, revoke_from_others.original, x.privilege_type), false)
  );
  -- An event trigger of the platform finds its objects on the platform's path.
  path := coalesce(
            nullif(current_setting('keylift.platform_path', true), ''), current_setting('search_path')
          );
  path := set_config('search_path', path, true);
  FOREACH statement IN ARRAY statements LOOP
    EXECUTE statement;
  END LOOP;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.revoke_from_others(text, oid, oid)'::regprocedure);

-- step 01_ledger: table keylift.migration
CREATE TABLE keylift.migration (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  attempt integer NOT NULL DEFAULT 0,
  stage text CHECK (stage IN ('expand', 'backfill', 'harden', 'verify', 'switch', 'finalize')),
  state text NOT NULL DEFAULT 'active' CHECK (state IN (
    'active', 'rolling_back', 'rolled_back', 'finalizing', 'finalized', 'restoring', 'purged')),
  settings jsonb NOT NULL,
  searched boolean NOT NULL DEFAULT false,
  mirror integer NOT NULL DEFAULT 0,
  mirror_on boolean NOT NULL DEFAULT false,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  seconds double precision NOT NULL DEFAULT 0
);

-- step 01_ledger: table keylift.runs
CREATE TABLE keylift.runs (
  run_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  command text NOT NULL,
  host text NOT NULL,
  pid integer NOT NULL,
  database_user text NOT NULL DEFAULT session_user,
  version text NOT NULL,
  attempt integer,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  heartbeat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  lease_until timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at timestamptz,
  -- The command line, a list of texts; what may be a secret is masked. NULL: a caller of the package.
  arguments jsonb,
  -- What the command line asked for: the last stage, how many batches at once, how long each.
  pace jsonb,
  waiting_for text,
  waiting_kind text,
  waiting_since timestamptz,
  lookups jsonb,
  exit_code integer,
  error_code text,
  result jsonb
);

-- step 01_ledger: table keylift.control
CREATE TABLE keylift.control (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  owner uuid,
  fence bigint NOT NULL DEFAULT 0,
  owned_until timestamptz,
  paused boolean NOT NULL DEFAULT false,
  concurrency integer,
  batch_time double precision,
  batch_size integer,
  max_lag double precision,
  max_active double precision,
  throttle_query text,
  throttle_url text,
  max_latency double precision
);
INSERT INTO keylift.control DEFAULT VALUES;

-- step 01_ledger: table keylift.batches
CREATE TABLE keylift.batches AS
SELECT (k."id")::bigint AS after_id, (k."id")::bigint AS upto_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.batches
  ADD COLUMN batch_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ADD COLUMN attempt integer NOT NULL DEFAULT 0,
  ADD COLUMN state text NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'failed', 'done', 'taken_back')),
  ADD COLUMN open boolean GENERATED ALWAYS AS (state IN ('pending', 'failed')) STORED,
  ADD COLUMN run_id uuid,
  ADD COLUMN tries integer NOT NULL DEFAULT 0,
  ADD COLUMN rows bigint NOT NULL DEFAULT 0,
  ADD COLUMN moved bigint NOT NULL DEFAULT 0,
  ADD COLUMN stayed bigint NOT NULL DEFAULT 0,
  ADD COLUMN set_aside bigint NOT NULL DEFAULT 0,
  ADD COLUMN seconds double precision,
  ADD COLUMN finished_at timestamptz,
  ADD COLUMN sqlstate text;
CREATE INDEX batches_pending ON keylift.batches (batch_no) WHERE state = 'pending';

-- step 01_ledger: table keylift.outcomes
CREATE TABLE keylift.outcomes AS
SELECT (k."id")::bigint AS key_id, (k."id")::bigint AS account_key_id, (k."id")::bigint AS group_key_id
FROM "public"."api_keys" k
WHERE false;
ALTER TABLE keylift.outcomes
  ADD PRIMARY KEY (key_id),
  ADD COLUMN outcome text NOT NULL CHECK (outcome IN ('merge', 'hold', 'exception')),
  ADD COLUMN reason text CHECK ((reason IS NULL) = (outcome <> 'exception')),
  ADD COLUMN source json,
  -- What a merged row opened, and since when: still needed when the row is archived and source is purged.
  ADD COLUMN opened_api_id bigint,
  ADD COLUMN opened_since timestamp with time zone,
  ADD COLUMN settled_at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE INDEX outcomes_merged ON keylift.outcomes (account_key_id) WHERE outcome = 'merge';
-- The first of the duplicates that a key was decided with: when one of them changes, all are decided again.
CREATE INDEX outcomes_group ON keylift.outcomes (group_key_id) WHERE group_key_id IS NOT NULL;
-- Merged rows are kept whole, with their tokens.
DO $do$
DECLARE
  original CONSTANT pg_catalog.pg_class := (
    SELECT c FROM pg_catalog.pg_class c WHERE c.oid = '"public"."api_keys"'::regclass);
BEGIN
  IF original.relrowsecurity THEN
    ALTER TABLE keylift.outcomes ENABLE ROW LEVEL SECURITY;
  END IF;
  IF original.relforcerowsecurity THEN
    ALTER TABLE keylift.outcomes FORCE ROW LEVEL SECURITY;
  END IF;
END
$do$;

-- step 01_ledger: table keylift.listed_keys
-- Keys that no batch copies, since a batch looks at each key alone: duplicates, and keys without an account.
CREATE TABLE keylift.listed_keys AS
SELECT (k."id")::bigint AS key_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.listed_keys ADD PRIMARY KEY (key_id), ADD COLUMN page integer NOT NULL;
CREATE INDEX listed_keys_page ON keylift.listed_keys (page);

-- step 01_ledger: table keylift.change_log
-- Ids of the keys that were changed while the backfill copied. Entries are added and taken, never looked up.
CREATE TABLE keylift.change_log AS
SELECT (k."id")::bigint AS key_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.change_log REPLICA IDENTITY FULL;

-- step 01_ledger: table keylift.proof_duplicates
-- What a proof finds out about duplicates; each proof fills it anew, so a crash may empty it.
CREATE UNLOGGED TABLE keylift.proof_duplicates AS
SELECT (k."id")::bigint AS key_id, (k."id")::bigint AS keeper_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.proof_duplicates
  ADD PRIMARY KEY (key_id),
  ADD COLUMN expected text,
  ADD COLUMN reason text,
  ADD COLUMN opened bigint NOT NULL;

-- step 01_ledger: table keylift.holds
CREATE TABLE keylift.holds AS
SELECT (k."id")::bigint AS key_id, (k."account_id")::bigint AS account_id
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE false;
-- A table without a primary key could not be deleted from while a publication FOR ALL TABLES exists.
ALTER TABLE keylift.holds ADD COLUMN by_rollback boolean NOT NULL DEFAULT false, REPLICA IDENTITY FULL;
CREATE UNIQUE INDEX holds_key ON keylift.holds (key_id) WHERE key_id IS NOT NULL;
CREATE UNIQUE INDEX holds_account ON keylift.holds (account_id) WHERE account_id IS NOT NULL;

-- step 01_ledger: table keylift.switch_rule
CREATE TABLE keylift.switch_rule (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  mode text NOT NULL DEFAULT 'none' CHECK (mode IN ('none', 'some', 'all')),
  cohorts int4multirange NOT NULL DEFAULT '{}'
);
INSERT INTO keylift.switch_rule DEFAULT VALUES;

-- step 01_ledger: table keylift.switched_accounts
CREATE TABLE keylift.switched_accounts AS
SELECT (k."account_id")::bigint AS account_id
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE false;
ALTER TABLE keylift.switched_accounts ADD PRIMARY KEY (account_id), ADD COLUMN switched boolean NOT NULL;

-- step 01_ledger: table keylift.overlaps
-- Held keys and exceptions whose token an account key has, too: while there is one, authorize looks at both tables.
CREATE TABLE keylift.overlaps AS
SELECT (k."id")::bigint AS key_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.overlaps ADD PRIMARY KEY (key_id);

-- step 01_ledger: table keylift.left_keys
-- Rows that a rollback could not bring back into the legacy table, whole, with the reason.
CREATE TABLE keylift.left_keys AS
SELECT (k."id")::bigint AS key_id, (k."id")::bigint AS account_key_id FROM "public"."api_keys" k WHERE false;
ALTER TABLE keylift.left_keys
  ADD COLUMN attempt integer NOT NULL,
  ADD PRIMARY KEY (attempt, key_id),
  ADD COLUMN reason text NOT NULL,
  ADD COLUMN sqlstate text,
  ADD COLUMN constraint_name text,
  ADD COLUMN source json,
  ADD COLUMN left_at timestamptz NOT NULL DEFAULT clock_timestamp();
DO $do$
DECLARE
  original CONSTANT pg_catalog.pg_class := (
    SELECT c FROM pg_catalog.pg_class c WHERE c.oid = '"public"."api_keys"'::regclass);
BEGIN
  IF original.relrowsecurity THEN
    ALTER TABLE keylift.left_keys ENABLE ROW LEVEL SECURITY;
  END IF;
  IF original.relforcerowsecurity THEN
    ALTER TABLE keylift.left_keys FORCE ROW LEVEL SECURITY;
  END IF;
END
$do$;

-- step 01_ledger: table keylift.proofs
CREATE TABLE keylift.proofs (
  proof_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  run_id uuid,
  attempt integer,
  proven_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  ok boolean NOT NULL,
  document jsonb NOT NULL
);

-- step 01_ledger: table keylift.events
CREATE TABLE keylift.events (
  event_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  run_id uuid,
  actor text NOT NULL DEFAULT session_user,
  kind text NOT NULL,
  facts jsonb NOT NULL DEFAULT '{}'
);

-- step 01_ledger: table keylift.installed_functions
CREATE TABLE keylift.installed_functions (
  name name PRIMARY KEY,
  digest text NOT NULL
);

-- step 01_ledger: table keylift.writer_secret
CREATE TABLE keylift.writer_secret (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  secret text NOT NULL
);
INSERT INTO keylift.writer_secret (secret) VALUES (gen_random_uuid()::text || gen_random_uuid()::text);

-- step 01_ledger: function keylift.own_write
CREATE FUNCTION keylift.own_write(writer text, depth integer)
RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- The mark of a write by keylift: valid in this transaction, for the triggers that the marked statement fires at this
-- depth. A statement of the platform's triggers inside it runs one level deeper, so the mark is not valid there.
#variable_conflict use_column
BEGIN
  RETURN own_write.writer || ':' || (
    SELECT encode(
      sha256(concat_ws(':', s.secret, pg_current_xact_id(), own_write.depth, own_write.writer)::bytea), 'hex')
    FROM keylift.writer_secret s
  );
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.own_write(text, integer)'::regprocedure);

-- step 01_ledger: rights on the ledger
SELECT keylift.revoke_from_others(CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid)
FROM pg_catalog.pg_class c
WHERE c.relnamespace = 'keylift'::regnamespace AND c.relkind IN ('r', 'S')
  AND pg_has_role(c.relowner, 'USAGE');

-- step 02_account_keys: table "public"."account_api_keys"
CREATE TABLE "public"."account_api_keys" AS
SELECT
  (k."id")::bigint AS id,
  k."account_id" AS account_id,
  k."name" AS name,
  k."token" AS token,
  'store_apis'::text AS scope,
  k."api_id" AS origin_api_id,
  k."created_at" AS created_at,
  k."last_used_at" AS last_used_at,
  k."revoked_at" AS revoked_at,
  k."expires_at" AS expires_at
FROM
  "public"."api_keys" k
  LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
  LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
WHERE false;
ALTER TABLE "public"."account_api_keys"
  ALTER COLUMN id SET NOT NULL,
  ALTER COLUMN account_id SET NOT NULL,
  ALTER COLUMN token SET NOT NULL,
  ALTER COLUMN created_at SET NOT NULL,
  ALTER COLUMN created_at SET DEFAULT now(),
  ALTER COLUMN scope SET NOT NULL,
  ALTER COLUMN scope SET DEFAULT 'store_apis';
SELECT keylift.revoke_from_others('TABLE', '"public"."account_api_keys"'::regclass, '"public"."api_keys"'::regclass);
DO $do$
DECLARE
  original CONSTANT pg_catalog.pg_class := (
    SELECT c FROM pg_catalog.pg_class c WHERE c.oid = '"public"."api_keys"'::regclass);
BEGIN
  IF original.relrowsecurity THEN
    ALTER TABLE "public"."account_api_keys" ENABLE ROW LEVEL SECURITY;
  END IF;
  IF original.relforcerowsecurity THEN
    ALTER TABLE "public"."account_api_keys" FORCE ROW LEVEL SECURITY;
  END IF;
END
$do$;

-- step 02_account_keys: function keylift.draw_key_id
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

-- step 02_account_keys: rights on keylift.draw_key_id
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.draw_key_id()'::regprocedure);

-- step 02_account_keys: trigger of "public"."account_api_keys" that draws ids
CREATE TRIGGER keylift_draw_key_id BEFORE INSERT ON "public"."account_api_keys"
  FOR EACH ROW WHEN (NEW.id IS NULL) EXECUTE FUNCTION keylift.draw_key_id();

-- step 02_account_keys: indexes of "public"."account_api_keys" for native keys
CREATE UNIQUE INDEX "account_api_keys_native_token" ON "public"."account_api_keys" (token) WHERE origin_api_id IS NULL;
CREATE UNIQUE INDEX "account_api_keys_native_id" ON "public"."account_api_keys" (id) WHERE origin_api_id IS NULL;
-- A table without a primary key that is published needs an identity, or its rows cannot be changed.
ALTER TABLE "public"."account_api_keys" REPLICA IDENTITY FULL;

-- step 03_resolver: function keylift.authorize
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

-- step 03_resolver: rights on keylift.authorize
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.authorize(text, bigint)'::regprocedure);

-- step 03_resolver: view keylift.per_api_keys
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

-- step 03_resolver: note the functions that were installed
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

-- step 03_resolver: rights on keylift.per_api_keys
SELECT keylift.revoke_from_others('TABLE', 'keylift.per_api_keys'::regclass);

-- step 04_legacy_token_index: drop index "api_keys_keylift_token" if a build left it invalid
-- It runs only where this query finds a row:
--   SELECT
--   FROM pg_catalog.pg_index i
--   WHERE i.indexrelid = to_regclass('"public"."api_keys_keylift_token"') AND NOT i.indisvalid
DROP INDEX CONCURRENTLY IF EXISTS "public"."api_keys_keylift_token";

-- step 04_legacy_token_index: index "api_keys_keylift_token"
-- It runs only where this query finds none:
--   SELECT
--   FROM pg_catalog.pg_index i
--     JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
--     JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
--     JOIN pg_catalog.pg_am m ON m.oid = c.relam
--   WHERE i.indrelid = '"public"."api_keys"'::regclass AND a.attname = 'token'
--     AND i.indisvalid AND i.indpred IS NULL AND m.amname IN ('btree', 'hash')
CREATE INDEX CONCURRENTLY IF NOT EXISTS "api_keys_keylift_token"
  ON "public"."api_keys" (("token"));

-- step 05_change_log: function keylift.log_change
CREATE FUNCTION keylift.log_change()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs after a row of the legacy table changes, until the mirror is on. Adds the row's id to the change log, the old
-- and the new one where they differ. It looks nothing up and takes no lock.
#variable_conflict use_column
BEGIN
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO keylift.change_log (key_id) VALUES (NEW."id");
  END IF;
  IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NEW."id" IS DISTINCT FROM OLD."id" THEN
    INSERT INTO keylift.change_log (key_id) VALUES (OLD."id");
  END IF;
  RETURN NULL;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.log_change()'::regprocedure);

-- step 05_change_log: function keylift.refuse_moving
CREATE FUNCTION keylift.refuse_moving()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs before a moved key is changed or deleted in Settings, until the mirror is on. Refuses it: the change could not
-- reach the per-API key yet.
#variable_conflict use_column
BEGIN
  IF coalesce(current_setting('keylift.writer', true), '') <> ''
     AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
       split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
     ) THEN RETURN coalesce(NEW, OLD); END IF;
  RAISE EXCEPTION 'this key is being moved into Settings and cannot be changed there yet'
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Change it in its API until keylift has completed the stage harden. Native keys can be changed.';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.refuse_moving()'::regprocedure);

-- step 05_change_log: function keylift.check_token
CREATE FUNCTION keylift.check_token()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs before a native key is inserted and before its token changes. Refuses an empty token, and a token that a
-- per-API key of a store API has.
#variable_conflict use_column
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NEW.token = OLD.token THEN RETURN NEW; END IF;
  END IF;
  IF length(NEW.token) = 0 THEN
    RAISE EXCEPTION 'a key needs a token' USING ERRCODE = 'check_violation';
  END IF;
  IF EXISTS (
    SELECT FROM
      "public"."api_keys" k
      LEFT JOIN "public"."apis" a ON a."id" = k."api_id"
      LEFT JOIN "public"."accounts" o ON o."id" = k."account_id"
    WHERE k."token" = NEW.token AND ((a.kind = 'store') IS TRUE) AND true
  ) THEN
    RAISE EXCEPTION 'this token belongs to an existing key' USING ERRCODE = 'unique_violation';
  END IF;
  RETURN NEW;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.check_token()'::regprocedure);

-- step 05_change_log: function keylift.guard_insert
CREATE FUNCTION keylift.guard_insert()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs when rows enter account_api_keys. Refuses rows with an origin_api_id, unless keylift writes them: only a key
-- that moved has an origin.
#variable_conflict use_column
BEGIN
  IF coalesce(current_setting('keylift.writer', true), '') <> ''
     AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
       split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
     ) THEN RETURN NEW; END IF;
  IF TG_LEVEL = 'STATEMENT' THEN
    IF NOT EXISTS (SELECT FROM new_rows n WHERE n.origin_api_id IS NOT NULL) THEN RETURN NULL; END IF;
  END IF;
  RAISE EXCEPTION 'only keylift inserts account keys with an origin_api_id'
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Insert account_id, name and token.';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.guard_insert()'::regprocedure);

-- step 05_change_log: function keylift.guard_update
CREATE FUNCTION keylift.guard_update()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs after an UPDATE of id, scope, origin_api_id, or the account of a moved key. Refuses it, unless keylift writes
-- it. An account that changes its id takes its keys along by the foreign key: the old account is gone then.
#variable_conflict use_column
BEGIN
  IF coalesce(current_setting('keylift.writer', true), '') <> ''
     AND coalesce(current_setting('keylift.writer', true), '') = keylift.own_write(
       split_part(coalesce(current_setting('keylift.writer', true), ''), ':', 1), pg_trigger_depth()
     ) THEN RETURN NULL; END IF;
  IF record_image_eq(
    ROW(NEW.id, NEW.scope, NEW.origin_api_id),
    ROW(OLD.id, OLD.scope, OLD.origin_api_id)
  ) THEN
    IF NOT EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = OLD.account_id)
      AND EXISTS (SELECT FROM "public"."accounts" o WHERE o."id" = NEW.account_id)
    THEN RETURN NULL; END IF;
  END IF;
  RAISE EXCEPTION 'id, scope, origin_api_id and the account of a moved key are keylift''s'
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Settings may change name, token, last use, revocation and expiry.';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.guard_update()'::regprocedure);

-- step 05_change_log: function keylift.guard_native_id
CREATE FUNCTION keylift.guard_native_id()
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $body$
-- Runs before a native key is inserted with an id or a scope. Ids of the two tables never collide, and the scope of
-- every account key is the same.
#variable_conflict use_column
BEGIN
  IF NEW.scope <> 'store_apis' THEN
    RAISE EXCEPTION 'the scope of an account key is store_apis' USING ERRCODE = 'check_violation';
  END IF;
  RAISE EXCEPTION 'the id of a native key is drawn when it is inserted'
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Insert account_id, name and token.';
  RETURN NEW;
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.guard_native_id()'::regprocedure);

-- step 05_change_log: function keylift.refuse_truncate
CREATE FUNCTION keylift.refuse_truncate()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $body$
-- Refuses TRUNCATE of either table: it names no rows, so the other table could not follow.
#variable_conflict use_column
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % is refused while keylift mirrors it', TG_RELID::regclass
    USING ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'Delete the rows instead, so that the other table follows, or run keylift rollback first.';
END
$body$;
SELECT keylift.revoke_from_others('FUNCTION', 'keylift.refuse_truncate()'::regprocedure);

-- step 05_change_log: triggers of "public"."api_keys" that fill the change log
CREATE TRIGGER keylift_log_insert AFTER INSERT ON "public"."api_keys"
  FOR EACH ROW EXECUTE FUNCTION keylift.log_change();
CREATE TRIGGER keylift_log_update AFTER UPDATE ON "public"."api_keys"
  FOR EACH ROW WHEN (record_image_ne(
                 ROW(OLD.id, OLD.account_id, OLD.api_id, OLD.name, OLD.token, OLD.created_at,
                     OLD.revoked_at, OLD.expires_at),
                 ROW(NEW.id, NEW.account_id, NEW.api_id, NEW.name, NEW.token, NEW.created_at,
                     NEW.revoked_at, NEW.expires_at))) EXECUTE FUNCTION keylift.log_change();
CREATE TRIGGER keylift_log_delete AFTER DELETE ON "public"."api_keys"
  FOR EACH ROW EXECUTE FUNCTION keylift.log_change();
CREATE TRIGGER keylift_truncate BEFORE TRUNCATE ON "public"."api_keys"
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.refuse_truncate();

-- step 05_change_log: trigger of "public"."account_api_keys" that refuses changes of moved keys
CREATE TRIGGER keylift_moving BEFORE UPDATE OR DELETE ON "public"."account_api_keys"
  FOR EACH ROW WHEN (OLD.origin_api_id IS NOT NULL) EXECUTE FUNCTION keylift.refuse_moving();

-- step 05_change_log: triggers of "public"."account_api_keys" that stay
CREATE TRIGGER keylift_born BEFORE INSERT OR UPDATE OF token ON "public"."account_api_keys"
  FOR EACH ROW WHEN (NEW.origin_api_id IS NULL)
  EXECUTE FUNCTION keylift.check_token();
CREATE TRIGGER keylift_truncate BEFORE TRUNCATE ON "public"."account_api_keys"
  FOR EACH STATEMENT
  EXECUTE FUNCTION keylift.refuse_truncate();

-- step 05_change_log: triggers of "public"."account_api_keys" that guard what is keylift's
CREATE TRIGGER keylift_guard_update AFTER UPDATE ON "public"."account_api_keys"
  FOR EACH ROW WHEN (
    record_image_ne(
      ROW(NEW.id, NEW.scope, NEW.origin_api_id),
      ROW(OLD.id, OLD.scope, OLD.origin_api_id))
    OR OLD.origin_api_id IS NOT NULL AND record_image_ne(ROW(NEW.account_id), ROW(OLD.account_id)))
  EXECUTE FUNCTION keylift.guard_update();
-- Its name comes before that of the trigger that draws ids: PostgreSQL fires them in this order.
CREATE TRIGGER keylift_check_id BEFORE INSERT ON "public"."account_api_keys"
  FOR EACH ROW WHEN (NEW.origin_api_id IS NULL AND (NEW.id IS NOT NULL OR NEW.scope <> 'store_apis'))
  EXECUTE FUNCTION keylift.guard_native_id();

-- step 05_change_log: trigger of "public"."account_api_keys" that refuses an origin, before the mirror is on
DO $do$
BEGIN
  EXECUTE format(
    $trigger$
      CREATE TRIGGER keylift_guard_insert BEFORE INSERT ON %s
        FOR EACH ROW WHEN (NEW.origin_api_id IS NOT NULL AND current_user <> %L)
        EXECUTE FUNCTION keylift.guard_insert()
    $trigger$,
    '"public"."account_api_keys"', current_user);
END
$do$;

-- step 05_change_log: no autovacuum of "public"."account_api_keys" before harden
-- No row of the new table dies before harden; a vacuum would only compete with the copy.
ALTER TABLE "public"."account_api_keys" SET (autovacuum_enabled = false);

-- step 05_change_log: note the functions that were installed
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
    'log_change', 'refuse_moving', 'check_token', 'guard_insert', 'guard_update',
    'guard_native_id', 'refuse_truncate')
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;
