import { commaList, sql } from '../../database/sql.js';
import { ARCHIVE } from '../../mapping/archive.js';
import { ON_PLATFORM_PATH } from '../../mirror/platform-path.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** Rows of a page. */
export const PAGE = 20_000;

/** The next page of moved rows behind id $1, with their account keys. */
export const readPage = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT ${l.id()}::text AS id, coalesce(t.id, x.account_key_id)::text AS account_key_id
  FROM ${l.keys} k
    LEFT JOIN ${l.target} t ON t.id = ${l.id()} AND t.origin_api_id IS NOT NULL
    LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id()} AND x.outcome = 'merge'
  WHERE ($1::${types.id} IS NULL OR ${l.id()} > $1::${types.id})
    AND (t.id IS NOT NULL OR x.key_id IS NOT NULL)
  ORDER BY ${l.id()}
  LIMIT ${PAGE}`;

/** All rows behind the account keys $1. They leave together: half of a token's rows would be taken for all of them. */
const isStillMoved = ({ legacy: l, types }: MappedSchema): string => sql`
  ${l.id()} IN (
    SELECT t.id
    FROM ${l.target} t
    WHERE t.id = ANY ($1::text[]::${types.id}[]) AND t.origin_api_id IS NOT NULL
    UNION ALL
    SELECT x.key_id
    FROM keylift.outcomes x
    WHERE x.outcome = 'merge' AND x.account_key_id = ANY ($1::text[]::${types.id}[])
  )`;

export const lockRows = (schema: MappedSchema): string => sql`
  SELECT
  FROM ${schema.legacy.keys} k
  WHERE ${isStillMoved(schema)}
  ORDER BY ${schema.legacy.id()}
  FOR UPDATE`;

/**
 * While rows change their table, a change made in Settings waits: its triggers then find the row where it went. Without
 * this a revocation could look for the row in both tables and find it in neither.
 */
export const lockAccountKeys = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT
  FROM ${l.target} t
  WHERE t.id = ANY ($1::text[]::${types.id}[])
  ORDER BY t.id
  FOR SHARE`;

export const readLeaving = (schema: MappedSchema): string => sql`
  SELECT ${schema.legacy.id()}::text AS id
  FROM ${schema.legacy.keys} k
  WHERE ${isStillMoved(schema)}`;

/** `columns` are those of the archive, quoted. */
export const archiveRows = ({ legacy: l, types }: MappedSchema, columns: readonly string[]): string => sql`
  /* archiving a page of rows */
  WITH gone AS (
    DELETE FROM ${l.keys} k
    WHERE ${l.id()} = ANY ($1::text[]::${types.id}[])
      AND ${ON_PLATFORM_PATH}
    RETURNING ${commaList(columns.map((column) => `k.${column}`))}
  )
  INSERT INTO ${ARCHIVE} (${commaList(columns)})
  SELECT * FROM gone`;

export const COUNT_ARCHIVED = `SELECT count(*) AS archived FROM ${ARCHIVE}`;

export const EMPTY_ARCHIVE = `TRUNCATE ${ARCHIVE}`;

export const FORGET_MERGED_ROWS = 'UPDATE keylift.outcomes SET source = NULL WHERE source IS NOT NULL';
