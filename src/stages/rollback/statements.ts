import { commaList, row, sql } from '../../database/sql.js';
import { ARCHIVE, type ArchivedColumn } from '../../mapping/archive.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import { overSource } from '../../mapping/fragments.js';
import { ON_PLATFORM_PATH } from '../../mirror/platform-path.js';
import type { MappedSchema } from '../../mapping/inspect.js';

/** Is any row left in the archive? */
export const ARCHIVE_HOLDS = `SELECT EXISTS (SELECT FROM ${ARCHIVE}) AS holds`;

/** Rows of a page. */
export const PAGE = 20_000;

/** The next page of archived rows behind id $1, with their account keys. */
export const readArchived = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT ${l.id()}::text AS id, coalesce(x.account_key_id, ${l.id()})::text AS account_key_id
  FROM ${ARCHIVE} k
    LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id()} AND x.outcome = 'merge'
  WHERE $1::${types.id} IS NULL OR ${l.id()} > $1::${types.id}
  ORDER BY ${l.id()}
  LIMIT ${PAGE}`;

/** An archived row with its account key. It points nowhere when its API or its account is gone. */
export interface ArchivedRow {
  id: string;
  account_key_id: string;
  points_nowhere: boolean;
}

/** The rows behind the account keys $1: all rows of a token come back together. */
export const readTogether = ({ legacy, types }: MappedSchema): string => {
  const l = overSource(legacy, ARCHIVE);
  return sql`
    SELECT ${l.id()}::text AS id, coalesce(x.account_key_id, ${l.id()})::text AS account_key_id,
      ${l.apiId()} IS NULL OR ${l.accountId()} IS NULL AS points_nowhere
    FROM
      ${l.from}
      LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id()} AND x.outcome = 'merge'
    WHERE ${l.id()} IN (
      SELECT unnest($1::text[]::${types.id}[])
      UNION
      SELECT m.key_id
      FROM keylift.outcomes m
      WHERE m.outcome = 'merge' AND m.account_key_id = ANY ($1::text[]::${types.id}[])
    )`;
};

/** Inserts the archived rows `ids`, an expression. `columns` are those that the legacy table does not compute. */
export const insertArchived = ({ legacy: l }: MappedSchema, columns: readonly string[], ids: string): string => sql`
  INSERT INTO ${l.keys} (${commaList(columns)})
  OVERRIDING SYSTEM VALUE
  SELECT ${commaList(columns.map((column) => `k.${column}`))}
  FROM ${ARCHIVE} k
  WHERE ${l.id()} = ANY (${ids})
    AND ${ON_PLATFORM_PATH}`;

/** Restores the archived rows $1. */
export const restoreRows = (schema: MappedSchema, columns: readonly string[]): string => sql`
  /* bringing back a page of the archive */
  ${insertArchived(schema, columns, `$1::text[]::${schema.types.id}[]`)}`;

/** How many of the archived rows $1 are in the legacy table as they were, whole. */
export const countRestored = (
  { legacy: l, types }: MappedSchema,
  columns: readonly Pick<ArchivedColumn, 'name' | 'cast'>[],
): string => sql`
  /* comparing restored rows with the archive */
  SELECT count(*)::int AS rows
  FROM ${ARCHIVE} k
    JOIN ${l.keys} b ON ${l.id('b')} = ${l.id()}
  WHERE ${l.id()} = ANY ($1::text[]::${types.id}[])
    AND record_image_eq(
      ${row(columns.map(({ name }) => `k.${name}`))},
      ${row(columns.map(({ name, cast }) => `b.${name}${cast}`))})`;

/** The rows $1 are restored, or kept among the keys that were left. */
export const forgetArchived = ({ legacy: l, types }: MappedSchema): string => sql`
  DELETE FROM ${ARCHIVE} k
  WHERE ${l.id()} = ANY ($1::text[]::${types.id}[])`;

/** Takes the next $2 account keys behind id $1 out of the new table. */
export const removePage = ({ legacy: l, types }: MappedSchema): string => sql`
  /* taking account keys out of the new table */
  WITH page AS MATERIALIZED (
    SELECT t.id
    FROM ${l.target} t
    WHERE ($1::${types.id} IS NULL OR t.id > $1::${types.id}) AND t.origin_api_id IS NOT NULL
    ORDER BY t.id
    LIMIT $2
  ), gone AS (
    DELETE FROM ${l.target} t
    WHERE t.id IN (SELECT page.id FROM page)
      AND ${ON_PLATFORM_PATH}
    RETURNING 1
  )
  SELECT
    (SELECT count(*) FROM gone)::int AS keys,
    (SELECT page.id::text FROM page ORDER BY page.id DESC LIMIT 1) AS last`;

/** Deletes all copied account keys, in a rollback before the mirror is on. */
export const removeCopiedKeys = ({ legacy: l }: MappedSchema): string => sql`
  DELETE FROM ${l.target}
  WHERE origin_api_id IS NOT NULL
    AND ${ON_PLATFORM_PATH}`;

/** What the ledger knows of the keys. The batches stay, for the history. */
export const FORGET_MIGRATION = [
  'DELETE FROM keylift.outcomes',
  'DELETE FROM keylift.overlaps',
  'DELETE FROM keylift.listed_keys',
  'DELETE FROM keylift.batches WHERE open',
  `UPDATE keylift.batches SET state = 'taken_back' WHERE state = 'done'`,
];

/** Account keys of the accounts $1. */
export const accountKeysOf = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT t.id::text AS key_id
  FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND t.account_id = ANY ($1::text[]::${types.account}[])`;

/** Per-API keys of the accounts $1. */
export const perApiKeysOf = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT ${l.id()}::text AS key_id
  FROM
    ${l.from}
  WHERE ${l.account()} = ANY ($1::text[]::${types.account}[])`;

/** Native keys, for the operator's list; a key that this attempt left has a list of its own. Tokens are shown by fingerprint alone. */
export const nativeKeys = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT t.id::text AS key_id, t.account_id::text AS account_id, t.name,
    ${fingerprintOf('t.token', types)} AS fingerprint
  FROM ${l.target} t
  WHERE t.origin_api_id IS NULL
    AND NOT EXISTS (
      SELECT FROM keylift.left_keys x
      WHERE x.attempt = (SELECT m.attempt FROM keylift.migration m) AND x.key_id = t.id
    )
  ORDER BY t.id`;

/** The step that drops the triggers reads the table once more under a lock; a vacuum leaves it little to read. */
export const vacuum = ({ legacy: l }: MappedSchema): string => `VACUUM ${l.target}`;
