import { PLATFORM_PATH } from './default-path.js';
import { literal, sql, type Statement } from './sql.js';

/** What can have an access list; a view counts as a table. */
export type ProtectedKind = 'TABLE' | 'SEQUENCE' | 'FUNCTION' | 'TYPE';

const CAST: Record<ProtectedKind, string> = {
  TABLE: 'regclass',
  SEQUENCE: 'regclass',
  FUNCTION: 'regprocedure',
  TYPE: 'regtype',
};

/**
 * SQL for the transaction that creates an object: takes every right on it from all roles but the owner. These rights come
 * from default privileges, from PostgreSQL's own defaults (EXECUTE and USAGE for PUBLIC), or from an event trigger. It must
 * not run later, because from then on the operator may have granted rights.
 *
 * @param object the name as in SQL; of a function, its signature
 */
export const revokeFromOthers = (kind: ProtectedKind, object: string): string =>
  `SELECT keylift.revoke_from_others('${kind}', ${literal(object)}::${CAST[kind]});`;

/**
 * The same for a table that is a copy: a role keeps a right from default privileges where it has the same right on the
 * original, so that it can read and write no more than before. PUBLIC keeps none, and no role does where row-level
 * security decides what it sees of the original.
 */
export const revokeBeyond = (original: string, table: string): string =>
  `SELECT keylift.revoke_from_others('TABLE', ${literal(table)}::regclass, ${literal(original)}::regclass);`;

/**
 * The schema keylift, created where it does not exist. The rights on a schema that an administrator has created before
 * are kept, except those of PUBLIC.
 */
export const createSchema: Statement = {
  title: 'schema keylift',
  text: sql`
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
    $do$;`,
};

/** The function behind `revokeFromOthers`. */
export const rightsFunction: Statement = {
  title: 'function keylift.revoke_from_others',
  text: sql`
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
      path := ${PLATFORM_PATH};
      path := set_config('search_path', path, true);
      FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
      END LOOP;
    END
    $body$;
    ${revokeFromOthers('FUNCTION', 'keylift.revoke_from_others(text, oid, oid)')}`,
};

/** The same for all tables and sequences of the schema: the ledger's, and those of Knex, which it has created before. */
export const revokeLedgerFromOthers: Statement = {
  title: 'rights on the ledger',
  text: sql`
    SELECT keylift.revoke_from_others(CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.oid)
    FROM pg_catalog.pg_class c
    WHERE c.relnamespace = 'keylift'::regnamespace AND c.relkind IN ('r', 'S')
      AND pg_has_role(c.relowner, 'USAGE');`,
};

/**
 * SQL that gives a table the row-level security of another one, in the transaction that creates it. It gets no policy:
 * only the owner, and roles with BYPASSRLS, see rows until the operator creates policies. Where the other table has FORCE,
 * the owner has BYPASSRLS, because preflight refuses an operator who does not see every row.
 */
export const copyRowSecurity = ({ from, to }: { from: string; to: string }): string => sql`
  DO $do$
  DECLARE
    original CONSTANT pg_catalog.pg_class := (
      SELECT c FROM pg_catalog.pg_class c WHERE c.oid = ${literal(from)}::regclass);
  BEGIN
    IF original.relrowsecurity THEN
      ALTER TABLE ${to} ENABLE ROW LEVEL SECURITY;
    END IF;
    IF original.relforcerowsecurity THEN
      ALTER TABLE ${to} FORCE ROW LEVEL SECURITY;
    END IF;
  END
  $do$;`;
