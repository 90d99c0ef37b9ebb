import type { ReadSession } from '../../database/session.js';
import { sql, type Statement } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { referencedInPage } from './references.js';

/** A foreign key of another table that points at rows which are about to leave, and how to repoint it. */
export interface PointingForeignKey {
  table: string;
  constraint: string;
  /** Statements an operator runs; ids are kept, so repointing is a plain change. */
  ddl: string[];
}

interface Found {
  table: string;
  constraint: string;
  column: string;
  definition: string;
}

/** At the id alone. The gate `references` looks at foreign keys of other shapes. $2 is the column of the id. */
const FOREIGN_KEYS = sql`
  SELECT c.conrelid::regclass::text AS table, quote_ident(c.conname) AS constraint,
    quote_ident(a.attname) AS column, pg_get_constraintdef(c.oid) AS definition
  FROM pg_catalog.pg_constraint c
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
    JOIN pg_catalog.pg_attribute i ON i.attrelid = c.confrelid AND i.attnum = c.confkey[1]
  WHERE c.contype = 'f' AND c.confrelid = $1::regclass AND c.conparentid = 0 AND cardinality(c.conkey) = 1
    AND i.attname = $2
  ORDER BY 1, 2`;

const foreignKeysTo = async (session: ReadSession, table: string, id: string): Promise<Found[]> =>
  (await session.query<Found>(FOREIGN_KEYS, [table, id])).rows;

type Column = Pick<Found, 'table' | 'column'>;

const pointsAtMoved = ({ table, column }: Column, { legacy: l }: MappedSchema): string => sql`
  EXISTS (
    SELECT
    FROM ${table} f
      JOIN ${l.target} t ON t.id = f.${column}
    WHERE t.origin_api_id IS NOT NULL
  )`;

const pointedFrom = (found: Column, schema: MappedSchema): string => {
  const { legacy: l } = schema;
  return sql`
    SELECT
      ${pointsAtMoved(found, schema)} AS moved,
      EXISTS (
        SELECT
        FROM ${found.table} f
          JOIN keylift.outcomes x ON x.key_id = f.${found.column} AND x.outcome = 'merge'
      ) AS merged,
      EXISTS (
        SELECT
        FROM ${found.table} f
          JOIN ${l.keys} k ON ${l.id()} = f.${found.column}
        WHERE NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
          AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()} AND x.outcome = 'merge')
      ) AS staying`;
};

const pointedBackFrom = (found: Column, schema: MappedSchema): string => sql`
  SELECT
    ${pointsAtMoved(found, schema)} AS moved,
    EXISTS (
      SELECT
      FROM ${found.table} f
        JOIN ${schema.legacy.target} t ON t.id = f.${found.column}
      WHERE t.origin_api_id IS NULL
    ) AS staying`;

/** What is read of each table that has a foreign key to the legacy table or to the new one; `other_table` stands for it. */
export const foreignKeyStatements = (schema: MappedSchema): Record<'before' | 'inPage' | 'back', Statement> => {
  const found = { table: 'other_table', column: 'key_id' };
  return {
    before: {
      title: 'for each foreign key of another table to the legacy table: does a row point at a moved key?',
      text: pointedFrom(found, schema),
    },
    inPage: { title: 'the same for the rows of a page', text: referencedInPage(schema) },
    back: {
      title: 'for each foreign key of another table to the new table: does a row point at a moved key?',
      text: pointedBackFrom(found, schema),
    },
  };
};

/** Foreign keys under which rows still point at moved per-API keys. Whatever their action: a cascade would delete them. */
export async function pointingForeignKeys(session: ReadSession, schema: MappedSchema): Promise<PointingForeignKey[]> {
  const pointing: PointingForeignKey[] = [];
  for (const found of await foreignKeysTo(session, schema.legacy.keys, schema.settings.legacy.keys.id)) {
    const row = await session.one<{ moved: boolean; merged: boolean; staying: boolean }>(pointedFrom(found, schema));
    if (row.moved || row.merged)
      pointing.push({
        table: found.table,
        constraint: found.constraint,
        ddl: repoint(found, { to: schema.legacy.target, ...row }),
      });
  }
  return pointing;
}

/** Foreign keys under which rows point at account keys that a rollback takes out, and the way back to the per-API keys. */
export async function foreignKeysToTakeBack(session: ReadSession, schema: MappedSchema): Promise<PointingForeignKey[]> {
  const { legacy: l } = schema;
  const pointing: PointingForeignKey[] = [];
  for (const found of await foreignKeysTo(session, l.target, 'id')) {
    const row = await session.one<{ moved: boolean; staying: boolean }>(pointedBackFrom(found, schema));
    if (!row.moved) continue;
    pointing.push({
      table: found.table,
      constraint: found.constraint,
      ddl: repoint(found, { to: l.keys, id: l.id(''), merged: false, ...row }),
    });
  }
  return pointing;
}

/** The definition is PostgreSQL's own, with another table in it: actions and deferral stay as they were. */
function repoint(
  { table, constraint, column, definition }: Found,
  { to, id = 'id', merged, staying }: { to: string; id?: string; merged: boolean; staying: boolean },
): string[] {
  const turned = definition
    .replace(/REFERENCES .+?\(.+?\)/, () => `REFERENCES ${to} (${id})`)
    .replace(/ NOT VALID$/, '');
  return [
    `ALTER TABLE ${table} DROP CONSTRAINT ${constraint};`,
    ...(merged
      ? [
          `UPDATE ${table} f SET ${column} = x.account_key_id FROM keylift.outcomes x WHERE x.outcome = 'merge' AND x.key_id = f.${column};`,
        ]
      : []),
    // Rows that point at keys of both tables: PostgreSQL has no foreign key for that.
    ...(staying
      ? []
      : [
          `ALTER TABLE ${table} ADD CONSTRAINT ${constraint} ${turned} NOT VALID;`,
          `ALTER TABLE ${table} VALIDATE CONSTRAINT ${constraint};`,
        ]),
  ];
}
