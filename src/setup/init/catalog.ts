import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';

/** A column in the catalog. */
export interface Column {
  name: string;
  /** The base type of a domain, without length or precision. */
  type: string;
  /** PostgreSQL's letter: D dates, N numbers, S texts, B booleans, E enums, … */
  category: string;
  notNull: boolean;
  /** A generated column. */
  generated: boolean;
  /** An enum's values. */
  labels: string[] | null;
}

/** A table that could be mapped. */
export interface Table {
  /** The name as a configuration writes it, quoted where SQL needs it. */
  written: string;
  schema: string;
  name: string;
  kind: 'table' | 'view' | 'foreign table';
  /** Rows by the server's statistics; -1 if it never counted them. */
  rows: number;
  columns: Column[];
  /** The columns of each valid unique index over all rows; the primary key first. */
  uniques: string[][];
  primaryKey: string[] | null;
  foreignKeys: ForeignKey[];
}

/** A foreign key of one column. */
export interface ForeignKey {
  column: string;
  /** The other table, as `written`. */
  table: string;
  toColumn: string;
}

/** The tables of the database, without partitions and system tables. */
export async function readCatalog(session: ReadSession): Promise<Table[]> {
  return (await session.query<Table>(CATALOG)).rows;
}

function written(schema: string, table: string): string {
  return `quote_ident(${schema}.nspname) || '.' || quote_ident(${table}.relname)`;
}

const COLUMNS = sql`
  SELECT coalesce(json_agg(json_build_object(
      'name', a.attname, 'type', format_type(b.oid, NULL), 'category', b.typcategory,
      'notNull', a.attnotnull, 'generated', a.attgenerated <> '',
      'labels', CASE WHEN b.typtype = 'e' THEN ARRAY(
        SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder) END
    ) ORDER BY a.attnum), '[]')
  FROM pg_catalog.pg_attribute a
    JOIN LATERAL (
      WITH RECURSIVE base AS (
        SELECT t.oid, t.typbasetype, t.typcategory, t.typtype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.oid, t.typbasetype, t.typcategory, t.typtype
        FROM base JOIN pg_catalog.pg_type t ON t.oid = base.typbasetype)
      SELECT * FROM base WHERE typbasetype = 0) b ON true
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped`;

const UNIQUE_INDEXES = sql`
  SELECT i.indexrelid, i.indisprimary, ARRAY(
      SELECT a.attname::text
      FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS given (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = given.attnum
      ORDER BY n) AS columns
  FROM pg_catalog.pg_index i
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL`;

const FOREIGN_KEYS = sql`
  SELECT coalesce(json_agg(json_build_object(
      'column', a.attname, 'table', ${written('fn', 'fc')}, 'toColumn', fa.attname
    ) ORDER BY f.conname), '[]')
  FROM pg_catalog.pg_constraint f
    JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
    JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.confrelid AND fa.attnum = f.confkey[1]
    JOIN pg_catalog.pg_class fc ON fc.oid = f.confrelid
    JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
  WHERE f.conrelid = c.oid AND f.contype = 'f' AND cardinality(f.conkey) = 1`;

const CATALOG = sql`
  SELECT ${written('n', 'c')} AS written, n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS rows,
    CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END AS kind,
    (${COLUMNS}) AS columns,
    (SELECT coalesce(json_agg(u.columns ORDER BY NOT u.indisprimary, u.indexrelid), '[]')
     FROM (
       ${UNIQUE_INDEXES}) u) AS uniques,
    (SELECT to_json(u.columns)
     FROM (
       ${UNIQUE_INDEXES}) u
     WHERE u.indisprimary) AS "primaryKey",
    (${FOREIGN_KEYS}) AS "foreignKeys"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('information_schema', 'keylift') AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname, c.relname`;
