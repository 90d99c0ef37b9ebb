import type { ReadSession } from '../database/session.js';
import { commaList, sql } from '../database/sql.js';
import type { TableColumn } from './columns.js';
import { overSource } from './fragments.js';
import type { MappedSchema } from './inspect.js';

/** Where finalize puts the moved per-API rows, whole. */
export const ARCHIVE = 'keylift.archived_keys';

/** SQL over `k` of a source that `withArchive` made: is the row still in the legacy table? */
export const LEFT_BEHIND = 'k.keylift_left_behind';

const ARCHIVED_COLUMNS = sql`
  SELECT quote_ident(a.attname) AS name, coalesce(l.attgenerated <> '', false) AS generated
  FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attribute l
      ON l.attrelid = $2::regclass AND l.attname = a.attname AND NOT l.attisdropped
  WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`;

/** Columns of the archive, in its order. */
export const archivedColumns = async (session: ReadSession, { legacy }: MappedSchema): Promise<TableColumn[]> =>
  (await session.query<TableColumn>(ARCHIVED_COLUMNS, [ARCHIVE, legacy.keys])).rows;

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
