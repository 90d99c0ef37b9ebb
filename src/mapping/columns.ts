import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';

/** A column of the legacy key table, as the catalog has it. */
export interface KeyColumn {
  name: string;
  /** As it stands in a statement. */
  quoted: string;
  /** Computed by the table, or an identity that takes no other value: it cannot be written. */
  computed: boolean;
  /** Computed by the table. */
  generated: boolean;
  /** Computed anew whenever it is read (PostgreSQL 18): a trigger's rows do not have it. */
  virtual: boolean;
  /** Its default as SQL; null where it has none, and for a generated column. */
  default: string | null;
  /** The sequence its default or its identity draws from, ready for `regclass`. */
  sequence: string | null;
  notNull: boolean;
  /** Its type, with length, and the type below its domains, without. */
  type: string;
  baseType: string;
  /** Characters it holds at most; null: no limit, or no text. */
  length: number | null;
  /** Its type has no order of its own, or compares unequal texts as equal. */
  byText: boolean;
}

/** A column by its quoted name; a `generated` one is computed by the table. */
export interface TableColumn {
  name: string;
  generated: boolean;
}

/** Names of mapped tables travel as text: the schema left out is `public`. */
export const REGCLASS = (schema: string, name: string): string =>
  `format('%I.%I', ${schema}::text, ${name}::text)::regclass`;

/** The first schema-qualified name in the catalog of a sequence that a dependency leads to. */
const sequenceOf = (link: 'objid' | 'refobjid', condition: string): string => sql`
  LEFT JOIN LATERAL (
    SELECT format('%I.%I', n.nspname, c.relname) AS sequence
    FROM pg_catalog.pg_depend p
      JOIN pg_catalog.pg_class c ON c.oid = p.${link} AND c.relkind = 'S'
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE ${condition} AND p.refclassid = 'pg_class'::regclass
    LIMIT 1
  )`;

const COLUMNS = sql`
  SELECT
    a.attname AS name,
    quote_ident(a.attname) AS quoted,
    a.attgenerated <> '' OR a.attidentity = 'a' AS computed,
    a.attgenerated <> '' AS generated,
    a.attgenerated = 'v' AS virtual,
    CASE WHEN a.attgenerated = '' THEN
      coalesce(
        pg_get_expr(d.adbin, d.adrelid),
        CASE WHEN a.attidentity <> '' THEN format('nextval(%L::regclass)', i.sequence) END)
    END AS default,
    CASE WHEN a.attidentity <> '' THEN i.sequence ELSE coalesce(s.sequence, i.sequence) END AS sequence,
    a.attnotnull AS "notNull",
    format_type(a.atttypid, a.atttypmod) AS type,
    format_type(b.oid, NULL) AS "baseType",
    CASE WHEN b.typcategory = 'S' AND coalesce(nullif(a.atttypmod, -1), b.typmod) > 4
      THEN coalesce(nullif(a.atttypmod, -1), b.typmod) - 4 END AS length,
    b.typcategory NOT IN ('B', 'D', 'N', 'T') AND b.typname NOT IN ('uuid', 'bytea') AS "byText"
  FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    -- An identity's sequence belongs to the column; a default may draw from any; a column without one may own it.
    ${sequenceOf('objid', "p.classid = 'pg_class'::regclass AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum")}
      i ON true
    ${sequenceOf('refobjid', "p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid")} s ON true
    -- Domains may be over domains; the innermost type is the last.
    LEFT JOIN LATERAL (
      WITH RECURSIVE down AS (
        SELECT t.oid, t.typbasetype, t.typtypmod, t.typcategory, t.typname, 0 AS depth, -1 AS typmod
        FROM pg_catalog.pg_type t
        WHERE t.oid = a.atttypid
        UNION ALL
        SELECT t.oid, t.typbasetype, t.typtypmod, t.typcategory, t.typname, down.depth + 1,
          greatest(down.typmod, down.typtypmod)
        FROM down
          JOIN pg_catalog.pg_type t ON t.oid = down.typbasetype
      )
      SELECT * FROM down ORDER BY depth DESC LIMIT 1
    ) b ON true
  WHERE a.attrelid = ${REGCLASS('$1', '$2')} AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`;

/** Columns of the mapped key table, in its order. */
export async function keyColumns(session: ReadSession, { legacy: { keys } }: Settings): Promise<KeyColumn[]> {
  const { schema, name } = parseTableName(keys.table);
  return (await session.query<KeyColumn>(COLUMNS, [schema ?? 'public', name])).rows;
}

/** A part of a partitioned table. */
export interface Partition {
  /** Quoted name with its schema. */
  table: string;
  isLeaf: boolean;
}

const PARTITIONS = sql`
  SELECT format('%I.%I', n.nspname, c.relname) AS table, p.isleaf AS "isLeaf"
  FROM pg_catalog.pg_partition_tree(${REGCLASS('$1', '$2')}) p
    JOIN pg_catalog.pg_class c ON c.oid = p.relid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE p.level > 0
  ORDER BY p.level, c.oid`;

/** All partitions of the mapped key table, of every level; none where it is a plain table. */
export async function partitionsOf(session: ReadSession, { legacy: { keys } }: Settings): Promise<Partition[]> {
  const { schema, name } = parseTableName(keys.table);
  return (await session.query<Partition>(PARTITIONS, [schema ?? 'public', name])).rows;
}
