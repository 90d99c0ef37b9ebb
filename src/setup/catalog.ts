import type { ReadSession } from '../database/session.js';

/** A column as the catalog has it. */
export interface Column {
  name: string;
  /** Without length or precision, and below its domains. */
  type: string;
  /** PostgreSQL's letter: D dates, N numbers, S texts, B booleans, E enums, … */
  category: string;
  notNull: boolean;
  /** Computed by the table itself. */
  generated: boolean;
  /** An enum's values. */
  labels: string[] | null;
}

/** A table that could be mapped. */
export interface Table {
  /** As a configuration names it, quoted where SQL needs it. */
  written: string;
  schema: string;
  name: string;
  kind: 'table' | 'view' | 'foreign table';
  /** Rows as the server's statistics have them; -1: never counted. */
  rows: number;
  columns: Column[];
  /** Columns of unique indexes, whole and valid; the primary key first. */
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

/** Tables of the database, partitions and the server's own left out. */
export async function readCatalog(session: ReadSession): Promise<Table[]> {
  return (await session.query<Table>(CATALOG)).rows;
}

const WRITTEN = (schema: string, table: string): string =>
  `quote_ident(${schema}.nspname) || '.' || quote_ident(${table}.relname)`;

const CATALOG = `
  SELECT ${WRITTEN('n', 'c')} AS written, n.nspname AS schema, c.relname AS name, c.reltuples::float8 AS rows,
    CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' ELSE 'table' END AS kind,
    (SELECT coalesce(json_agg(json_build_object('name', a.attname, 'type', format_type(b.oid, NULL), 'category', b.typcategory,
        'notNull', a.attnotnull, 'generated', a.attgenerated <> '',
        'labels', CASE WHEN b.typtype = 'e' THEN ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder) END) ORDER BY a.attnum), '[]')
      FROM pg_catalog.pg_attribute a
      JOIN LATERAL (
        WITH RECURSIVE down AS (
          SELECT t.oid, t.typbasetype, t.typcategory, t.typtype FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid
          UNION ALL SELECT t.oid, t.typbasetype, t.typcategory, t.typtype FROM down JOIN pg_catalog.pg_type t ON t.oid = down.typbasetype)
        SELECT * FROM down WHERE typbasetype = 0) b ON true
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
    (SELECT coalesce(json_agg(u.columns ORDER BY NOT u.indisprimary, u.indexrelid), '[]') FROM (${uniqueIndexes()}) u) AS uniques,
    (SELECT to_json(u.columns) FROM (${uniqueIndexes()}) u WHERE u.indisprimary) AS "primaryKey",
    (SELECT coalesce(json_agg(json_build_object('column', a.attname, 'table', ${WRITTEN('fn', 'fc')}, 'toColumn', fa.attname) ORDER BY f.conname), '[]')
      FROM pg_catalog.pg_constraint f
      JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
      JOIN pg_catalog.pg_attribute fa ON fa.attrelid = f.confrelid AND fa.attnum = f.confkey[1]
      JOIN pg_catalog.pg_class fc ON fc.oid = f.confrelid JOIN pg_catalog.pg_namespace fn ON fn.oid = fc.relnamespace
      WHERE f.conrelid = c.oid AND f.contype = 'f' AND cardinality(f.conkey) = 1) AS "foreignKeys"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('information_schema', 'keylift') AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ORDER BY n.nspname, c.relname`;

function uniqueIndexes(): string {
  return `
      SELECT i.indexrelid, i.indisprimary, ARRAY(
        SELECT a.attname::text FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS given (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = given.attnum ORDER BY n) AS columns
      FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL`;
}
