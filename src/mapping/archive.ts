import type { ReadSession } from '../database/session.js';
import { overSource } from './fragments.js';
import type { MappedSchema } from './inspect.js';

/** Where finalize puts the moved per-API rows, whole. */
export const ARCHIVE = 'keylift.archived_keys';

/** SQL over `k` of a source that `withArchive` made: is the row still in the legacy table? */
export const LEFT_BEHIND = 'k.keylift_left_behind';

export const hasArchive = async (session: ReadSession): Promise<boolean> =>
  (await session.one<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [ARCHIVE])).present;

/** Columns of the archive, quoted, in its order; `generated` ones are computed by the legacy table itself. */
export async function archivedColumns(
  session: ReadSession,
  { legacy }: MappedSchema,
): Promise<{ name: string; generated: boolean }[]> {
  const { rows } = await session.query<{ name: string; generated: boolean }>(
    `SELECT quote_ident(a.attname) AS name, coalesce(l.attgenerated <> '', false) AS generated
     FROM pg_catalog.pg_attribute a
     LEFT JOIN pg_catalog.pg_attribute l ON l.attrelid = $2::regclass AND l.attname = a.attname AND NOT l.attisdropped
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
    [ARCHIVE, legacy.keys],
  );
  return rows;
}

/** After finalize the source of the account keys is the legacy table and the archive together. */
export async function withArchive(session: ReadSession, schema: MappedSchema): Promise<MappedSchema> {
  if (!(await hasArchive(session))) return schema;
  const columns = (await archivedColumns(session, schema)).map((c) => c.name).join(', ');
  const source = `(SELECT ${columns}, true AS keylift_left_behind FROM ${schema.legacy.keys} UNION ALL SELECT ${columns}, false FROM ${ARCHIVE})`;
  return { ...schema, legacy: overSource(schema.legacy, source) };
}
