import type { ReadSession, WriteSession } from '../../database/session.js';
import { and, sql } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** A foreign key of any shape to the legacy table or to a table below it. */
interface ReferencingKey {
  table: string;
  constraint: string;
  /** Quoted, pair by pair. */
  columns: string[];
  referenced: string[];
}

/** $1 is the legacy table. A key to a partition may be one of its own; those that a parent hands down are left out. */
const REFERENCING_KEYS = sql`
  /* reading the foreign keys to the legacy table */
  WITH RECURSIVE tree AS (
    SELECT $1::regclass::oid AS oid
    UNION
    SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree ON i.inhparent = tree.oid
  )
  SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS constraint,
    ARRAY(
      SELECT quote_ident(a.attname)
      FROM unnest(c.conkey) WITH ORDINALITY AS key (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = key.attnum
      ORDER BY key.n
    ) AS columns,
    ARRAY(
      SELECT quote_ident(a.attname)
      FROM unnest(c.confkey) WITH ORDINALITY AS key (attnum, n)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = key.attnum
      ORDER BY key.n
    ) AS referenced
  FROM pg_catalog.pg_constraint c
    JOIN tree ON tree.oid = c.confrelid
  WHERE c.contype = 'f' AND c.conparentid = 0
  ORDER BY 1, 2`;

const isReferenced = (key: ReferencingKey, { legacy: l, types }: MappedSchema): string => {
  const [first, ...further] = key.columns.map((column, at) => `f.${column} = k.${key.referenced[at]!}`);
  return sql`
    /* looking for references to rows that leave */
    SELECT EXISTS (
      SELECT
      FROM ${key.table} f
        JOIN ${l.keys} k ON ${first!}
          ${and(further)}
      WHERE ${l.id()} = ANY ($1::text[]::${types.id}[])
    ) AS referenced`;
};

/** The statement of a page for a foreign key of `other_table`. */
export const referencedInPage = (schema: MappedSchema): string =>
  isReferenced(
    { table: 'other_table', constraint: '', columns: ['key_id'], referenced: [schema.legacy.id('')] },
    schema,
  );

/**
 * The foreign keys under which rows of other tables reference these rows. The rows must be locked FOR UPDATE: then no
 * session can add a reference. A row that row-level security hides from the role is an error, not an empty answer.
 */
export async function referencesTo(session: WriteSession, schema: MappedSchema, ids: string[]): Promise<string[]> {
  const { rows } = await session.query<ReferencingKey>(REFERENCING_KEYS, [schema.legacy.keys]);
  if (rows.length === 0 || ids.length === 0) return [];
  await session.query('SET LOCAL row_security = off');
  const found: string[] = [];
  for (const key of rows) if (await referenced(session, isReferenced(key, schema), ids)) found.push(nameOf(key));
  await session.query('SET LOCAL row_security = on');
  return found;
}

const referenced = async (session: ReadSession, statement: string, ids: string[]): Promise<boolean> =>
  (await session.one<{ referenced: boolean }>(statement, [ids])).referenced;

const nameOf = ({ table, constraint }: ReferencingKey): string => `${table}: ${constraint}`;
