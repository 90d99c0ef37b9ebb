import type { ReadSession } from '../../database/session.js';

/** A policy of row-level security. */
export interface Policy {
  table: string;
  name: string;
  permissive: boolean;
  command: 'ALL' | 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';
  roles: string[];
}

/** What a role other than the owner may do with a table, or with some of its columns. */
export interface Grant {
  table: string;
  /** `PUBLIC` is every role. */
  grantee: string;
  privileges: string[];
  /** Empty: the whole table. */
  columns: string[];
}

/** What a role gets on each object that another role creates. */
export interface DefaultGrant {
  /** Who creates the object. */
  creator: string;
  /** Null: in every schema. */
  schema: string | null;
  kind: 'tables' | 'sequences' | 'functions' | 'types' | 'schemas';
  grantee: string;
  privileges: string[];
}

const grantee = (oid: string): string => `CASE ${oid} WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(${oid}) END`;

const POLICIES = `
  /* reading the policies of the mapped tables */
  SELECT p.polrelid::text AS table, pg_catalog.quote_ident(p.polname) AS name, p.polpermissive AS permissive,
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END AS command,
    ARRAY(SELECT ${grantee('r.oid')} FROM pg_catalog.unnest(p.polroles) AS r (oid) ORDER BY 1)::text[] AS roles
  FROM pg_catalog.pg_policy p
  WHERE p.polrelid = ANY ($1::oid[])
  ORDER BY pg_catalog.array_position($1::oid[], p.polrelid), p.polname`;

const GRANTS = `
  /* reading the privileges on the mapped tables */
  SELECT c.oid::text AS table, ${grantee('g.grantee')} AS grantee, '{}'::text[] AS columns,
    pg_catalog.array_agg(g.privilege_type::text ORDER BY g.privilege_type) AS privileges
  FROM pg_catalog.pg_class c CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) g
  WHERE c.oid = ANY ($1::oid[]) AND g.grantee <> c.relowner GROUP BY c.oid, g.grantee
  UNION ALL
  SELECT c.oid::text, ${grantee('g.grantee')}, pg_catalog.array_agg(DISTINCT a.attname::text),
    pg_catalog.array_agg(DISTINCT g.privilege_type::text)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) g
  WHERE c.oid = ANY ($1::oid[]) AND g.grantee <> c.relowner GROUP BY c.oid, g.grantee
  ORDER BY 1, 2`;

const DEFAULT_GRANTS = `
  /* reading the default privileges */
  SELECT pg_catalog.pg_get_userbyid(d.defaclrole) AS creator, n.nspname AS schema,
    CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types'
      ELSE 'schemas' END AS kind, ${grantee('g.grantee')} AS grantee,
    pg_catalog.array_agg(g.privilege_type::text ORDER BY g.privilege_type) AS privileges
  FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
    CROSS JOIN LATERAL pg_catalog.aclexplode(d.defaclacl) g
  WHERE (d.defaclnamespace = 0 OR n.nspname = $1) AND g.grantee <> d.defaclrole AND d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n')
  GROUP BY d.defaclrole, n.nspname, d.defaclobjtype, g.grantee
  ORDER BY 1, 2 NULLS FIRST, 3, 4`;

/** @param oids of the mapped tables and their partitions */
export const readPolicies = async (session: ReadSession, oids: readonly string[]): Promise<Policy[]> =>
  (await session.query<Policy>(POLICIES, [oids])).rows;

/** @param oids of the mapped tables and their partitions */
export const readGrants = async (session: ReadSession, oids: readonly string[]): Promise<Grant[]> =>
  (await session.query<Grant>(GRANTS, [oids])).rows;

/** @param schema of the new table */
export const readDefaultGrants = async (session: ReadSession, schema: string): Promise<DefaultGrant[]> =>
  (await session.query<DefaultGrant>(DEFAULT_GRANTS, [schema])).rows;
