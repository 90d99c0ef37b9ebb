import type { ReadSession, WriteSession } from '../../database/session.js';
import { literal, sql } from '../../database/sql.js';
import { ARCHIVE, columnsNotArchived } from '../../mapping/archive.js';
import type { MappedSchema } from '../../mapping/inspect.js';

const missing = ({ legacy: l }: MappedSchema): string =>
  columnsNotArchived({ archive: `${literal(ARCHIVE)}::regclass`, keys: `${literal(l.keys)}::regclass` });

export const lacksColumns = (schema: MappedSchema): string => sql`
  SELECT EXISTS (
    ${missing(schema)}
  ) AS lacks`;

/** Has the legacy table a column that the archive lacks? */
export async function archiveLacksColumns(session: ReadSession, schema: MappedSchema): Promise<boolean> {
  const { lacks } = await session.one<{ lacks: boolean }>(lacksColumns(schema));
  return lacks;
}

const definitions = (schema: MappedSchema): string => sql`
  /* reading the columns that the archive lacks */
  SELECT quote_ident(a.attname) AS name, format_type(a.atttypid, a.atttypmod) AS type,
    CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
    (
      SELECT format('COLLATE %I.%I', n.nspname, c.collname)
      FROM pg_catalog.pg_collation c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace
      WHERE c.oid = a.attcollation AND a.attcollation <> t.typcollation
    ) AS collation
  FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = ${literal(schema.legacy.keys)}::regclass AND a.attnum IN (
      ${missing(schema)}
    )
  ORDER BY a.attnum`;

interface Definition {
  name: string;
  type: string;
  default: string | null;
  collation: string | null;
}

/**
 * Adds to the archive what the platform has added to the legacy table since. Rows that are in the archive already get
 * the column's default, as they would have in the legacy table.
 */
export async function addMissingColumns(session: WriteSession, schema: MappedSchema): Promise<void> {
  const { rows } = await session.query<Definition>(definitions(schema));
  for (const { name, type, collation, default: value } of rows) {
    const withDefault = value === null ? '' : `DEFAULT ${value}`;
    await session.query(`ALTER TABLE ${ARCHIVE} ADD COLUMN ${name} ${type} ${collation ?? ''} ${withDefault}`);
    if (value !== null) await session.query(`ALTER TABLE ${ARCHIVE} ALTER COLUMN ${name} DROP DEFAULT`);
  }
}
