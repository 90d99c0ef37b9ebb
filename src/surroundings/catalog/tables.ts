import { parseTableName } from '../../config/identifiers.js';
import type { Settings } from '../../config/settings.js';
import type { ReadSession } from '../../database/session.js';

/** The tables that the configuration names. */
export const SECTIONS = ['keys', 'apis', 'accounts', 'target'] as const;
export type Section = (typeof SECTIONS)[number];

/** What PostgreSQL uses to tell published rows apart: `none` refuses UPDATE and DELETE of a published table. */
export type ReplicaIdentity = 'primary key' | 'index' | 'full' | 'none';

/** A table that the configuration names, or a partition of one. */
export interface MappedTable {
  section: Section;
  oid: string;
  /** With its schema, quoted where SQL needs it. */
  name: string;
  /** PostgreSQL's letter: r table, p partitioned table, v view, m materialized view, f foreign table. */
  kind: string;
  isPartition: boolean;
  owner: string;
  replicaIdentity: ReplicaIdentity;
  rowSecurity: {
    enabled: boolean;
    /** It binds the owner, too. */
    forced: boolean;
    /** It hides rows from the role that asks. */
    active: boolean;
  };
  /** Oids of tables that it inherits from, or that a view reads. */
  from: string[];
}

/** By schema and name, so that a role without rights on a schema gets an answer, too. */
const TABLES = `
  /* reading the mapped tables from the catalog */
  WITH RECURSIVE named AS (
    SELECT given.section, c.oid
    FROM unnest($1::text[], $2::text[], $3::text[]) AS given (section, schema, name)
      JOIN pg_catalog.pg_namespace n ON n.nspname = given.schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = given.name
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
  ), mapped AS (
    SELECT section, oid, false AS partition FROM named
    UNION ALL
    SELECT section, h.inhrelid, true FROM mapped JOIN pg_catalog.pg_inherits h ON h.inhparent = mapped.oid
      JOIN pg_catalog.pg_class part ON part.oid = h.inhrelid AND part.relispartition
  ), source AS (
    SELECT oid AS reader, oid FROM mapped
    UNION
    SELECT source.reader, used.oid FROM source CROSS JOIN LATERAL (
      SELECT h.inhparent AS oid FROM pg_catalog.pg_inherits h WHERE h.inhrelid = source.oid
      UNION ALL
      SELECT d.refobjid FROM pg_catalog.pg_rewrite r
        JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = r.oid
          AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> r.ev_class
      WHERE r.ev_class = source.oid AND r.rulename = '_RETURN') used
  )
  SELECT mapped.section, c.oid::text AS oid, pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, c.relkind AS kind,
    mapped.partition AS "isPartition", pg_catalog.pg_get_userbyid(c.relowner) AS owner,
    CASE WHEN c.relreplident = 'f' THEN 'full'
      WHEN c.relreplident = 'i' AND EXISTS (
        SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisreplident) THEN 'index'
      WHEN c.relreplident = 'd' AND EXISTS (
        SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid) THEN 'primary key'
      ELSE 'none' END AS "replicaIdentity",
    pg_catalog.json_build_object('enabled', c.relrowsecurity, 'forced', c.relforcerowsecurity,
      'active', pg_catalog.row_security_active(c.oid)) AS "rowSecurity",
    ARRAY(SELECT source.oid::text FROM source WHERE source.reader = c.oid AND source.oid <> c.oid) AS "from"
  FROM mapped JOIN pg_catalog.pg_class c ON c.oid = mapped.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  ORDER BY pg_catalog.array_position(ARRAY['keys', 'apis', 'accounts', 'target'], mapped.section), mapped.partition, 3`;

/** The mapped tables that exist, each before its partitions. */
export async function readTables(session: ReadSession, { legacy, target }: Settings): Promise<MappedTable[]> {
  const names = SECTIONS.map((section) => parseTableName(section === 'target' ? target.table : legacy[section].table));
  const { rows } = await session.query<MappedTable>(TABLES, [
    SECTIONS,
    names.map(({ schema }) => schema ?? 'public'),
    names.map(({ name }) => name),
  ]);
  return rows;
}
