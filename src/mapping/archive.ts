import type { ReadSession } from '../database/session.js';
import { commaList, sql } from '../database/sql.js';
import type { TableColumn } from './columns.js';
import { overSource } from './fragments.js';
import type { MappedSchema } from './inspect.js';

/** Where finalize puts the moved per-API rows, whole. */
export const ARCHIVE = 'keylift.archived_keys';

/** SQL over `k` of a source that `withArchive` made: is the row still in the legacy table? */
export const LEFT_BEHIND = 'k.keylift_left_behind';

/** A column that the archive and the legacy table have. */
export interface ArchivedColumn extends TableColumn {
  /** Casts the legacy value to the archive's type, where the platform has changed the type since; else empty. */
  cast: string;
}

const ARCHIVED_COLUMNS = sql`
  SELECT quote_ident(a.attname) AS name, l.attgenerated <> '' AS generated,
    CASE WHEN a.atttypid <> l.atttypid THEN '::' || format_type(a.atttypid, NULL) ELSE '' END AS cast
  FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_attribute l
      ON l.attrelid = $2::regclass AND l.attname = a.attname AND NOT l.attisdropped
  WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`;

/** Columns of the archive that the legacy table still has, in the archive's order. */
export const archivedColumns = async (session: ReadSession, { legacy }: MappedSchema): Promise<ArchivedColumn[]> =>
  (await session.query<ArchivedColumn>(ARCHIVED_COLUMNS, [ARCHIVE, legacy.keys])).rows;

/** Numbers of the legacy columns that the archive does not have. Both are expressions of type regclass. */
export const columnsNotArchived = ({ archive, keys }: { archive: string; keys: string }): string => sql`
  SELECT a.attnum
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = ${keys} AND a.attnum > 0 AND NOT a.attisdropped
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_attribute b
      WHERE b.attrelid = ${archive} AND b.attname = a.attname AND NOT b.attisdropped
    )`;

/** Where there is an archive, the source of the account keys is the legacy table and the archive together. */
export async function withArchive(
  session: ReadSession,
  schema: MappedSchema,
  { archive }: { archive: boolean },
): Promise<MappedSchema> {
  if (!archive) return schema;
  return overArchive(schema, await archivedColumns(session, schema));
}

/** The schema with both tables as its source; `columns` are those of the archive. */
export function overArchive(schema: MappedSchema, columns: readonly Pick<TableColumn, 'name'>[]): MappedSchema {
  const names = commaList(columns.map(({ name }) => name));
  const source = sql`
    (
      SELECT ${names},
        true AS keylift_left_behind
      FROM ${schema.legacy.keys}
      UNION ALL
      SELECT ${names},
        false
      FROM ${ARCHIVE}
    )`;
  return { ...schema, legacy: overSource(schema.legacy, source) };
}
