import { and, commaList, inFormat, literal, row, sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { backOnOwnPath, ON_PLATFORM_PATH } from './platform-path.js';

/** A column of the new table and the legacy column that a change of it is carried back to. */
interface CarriedBack {
  legacy: string;
  target: string;
  /** Only the key's own row takes the change; rows merged into it keep their own value. */
  ownRowOnly: boolean;
}

/** What a change in Settings is carried back to. Creation dates do not change. */
function carriedBack({ legacy: l, carried }: MappedSchema): CarriedBack[] {
  const w = l.writable;
  const pairs = [
    { legacy: w.name, target: 'name', ownRowOnly: true },
    { legacy: w.token, target: 'token', ownRowOnly: false },
    { legacy: w.account, target: 'account_id', ownRowOnly: false },
    { legacy: w.revokedAt, target: 'revoked_at', ownRowOnly: false },
    { legacy: w.expiresAt, target: 'expires_at', ownRowOnly: false },
    ...carried.filter((c) => !c.computed).map(({ name }) => ({ legacy: name, target: name, ownRowOnly: true })),
  ];
  // One legacy column may be mapped to two values; it takes one of them.
  return pairs.filter(
    (p, at): p is CarriedBack => p.legacy !== null && pairs.findIndex((other) => other.legacy === p.legacy) === at,
  );
}

/** Columns of the new table that have no plain legacy column: a change of them could not be carried back. */
export function columnsWithoutLegacy({ legacy: l }: MappedSchema): string[] {
  const w = l.writable;
  const columns = {
    token: w.token,
    revoked_at: w.revokedAt,
    expires_at: w.expiresAt,
    ...(l.hasName ? { name: w.name } : {}),
  };
  return Object.entries(columns).flatMap(([column, legacy]) => (legacy === null ? [column] : []));
}

/** Refuses a change that the per-API key could not follow: a rollback would lose it. */
export function refuseChangeOf(columns: readonly string[]): string {
  if (columns.length === 0) return '';
  const values = (alias: string): string => row(columns.map((column) => `${alias}.${column}`));
  return sql`
    IF EXISTS (
      SELECT FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.origin_api_id IS NOT NULL AND record_image_ne(${values('n')}, ${values('o')})
    ) THEN
      RAISE EXCEPTION
        'the per-API keys have no column of their own for ${columns.join(', ')}, and would not follow this change'
        USING ERRCODE = 'object_not_in_prerequisite_state',
          HINT = 'Until keylift finalize --purge, delete the key instead, or change what the value is computed from.';
    END IF;`;
}

/**
 * A statement over transition tables, planned anew when they are large: a plan that is cached from a single-row change
 * would join 100,000 rows row by row.
 */
export const plannedBySize = (
  statement: string,
  { inline = statement, into }: { inline?: string; into?: string } = {},
): string => sql`
  IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
    EXECUTE $statement$
      ${statement}
    $statement$${into === undefined ? '' : ` INTO ${into}`};
  ELSE
    ${inline};
  END IF;`;

/**
 * Locks the rows merged into changed account keys. The statement after it sees which rows are merged then: without the
 * lock an UPDATE that waits would write a row that its writer took out of the group meanwhile.
 */
export function lockMerged(
  { legacy: l }: MappedSchema,
  { table, rows }: { table: string; rows: 'old_rows' | 'new_rows' },
): string {
  const merged = sql`
    FROM ${rows} n
      JOIN keylift.outcomes x ON x.account_key_id = n.id
      JOIN ${table} k ON ${l.id()} = x.key_id
    WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
    ORDER BY ${l.id()}
    FOR NO KEY UPDATE OF k`;
  return plannedBySize(`SELECT ${merged}`, { inline: `PERFORM ${merged}` });
}

/** The per-API rows `m (key_id)` of the rows `d` of a table, those merged into them included. */
export const perApiRowsOf = (from: string, conditions: readonly string[]): string => sql`
  (
    SELECT d.id AS key_id
    FROM ${from} d
    WHERE ${conditions[0]!}
      ${and(conditions.slice(1))}
    UNION ALL
    SELECT x.key_id
    FROM ${from} d JOIN keylift.outcomes x ON x.account_key_id = d.id
    WHERE x.outcome = 'merge'
      ${and(conditions)}
  ) m`;

/**
 * Carries changed account keys back to their per-API rows, in the legacy table or in the archive. The statement sets the
 * columns that changed and no other, as the platform's triggers may watch single columns. In a trigger function with
 * variables `changes` and `path`; it ends the block `body`.
 */
export function carryBack(schema: MappedSchema, table: string): string {
  const columns = carriedBack(schema);
  if (columns.length === 0) return '';
  return sql`
    ${plannedBySize(findChanges(columns), { inline: findChanges(columns, 'INTO changes'), into: 'changes' })}
    IF changes IS NULL THEN EXIT body; END IF;
    ${lockMerged(schema, { table, rows: 'new_rows' })}
    -- One statement for all rows of a repeated token: the mirror must not see some of them changed and others not.
    EXECUTE format(
      $statement$
        ${inFormat(updatePerApiRows(schema, { table, columns })).replace(ASSIGNMENTS, '%s')}
      $statement$,
      array_to_string(changes, ', '));
    ${backOnOwnPath(schema)}
    ${table === schema.legacy.keys ? refuseAltered(schema, columns) : ''}`;
}

/** By image, not by equality: some types have none, and some take an upper case letter for its lower case. */
const isChanged = (column: CarriedBack): string => `record_image_ne(ROW(o.${column.target}), ROW(n.${column.target}))`;

/** The assignments of the columns that changed in any row; null where none did. */
const findChanges = (columns: readonly CarriedBack[], into = ''): string => sql`
  SELECT nullif(array_remove(ARRAY[
    ${commaList(columns.map(changeOf))}
  ], NULL), '{}')
  ${into}
  FROM new_rows n JOIN old_rows o ON o.id = n.id
  WHERE n.origin_api_id IS NOT NULL`;

/** Where the assignments go, in a statement for `format`. */
const ASSIGNMENTS = '/* changes */';

/** The assignment of a column as a literal of two lines, which PostgreSQL joins; null where no row changed it. */
function changeOf(column: CarriedBack, at: number): string {
  const [when, then] = carriedParts(column, at);
  return sql`
    CASE WHEN bool_or(${isChanged(column)})
      THEN ${literal(`${column.legacy} = ${when}`)}
        ${literal(` ${then}`)} END`;
}

/** The value that the per-API row `k` gets from the change `m`. */
const carriedValue = (column: CarriedBack, at: number): string => carriedParts(column, at).join('\n  ');

function carriedParts(column: CarriedBack, at: number): [when: string, then: string] {
  const [before, after] = [`m.old_${String(at)}`, `m.new_${String(at)}`];
  const applies = `${column.ownRowOnly ? 'm.key_id = m.id AND ' : ''}record_image_ne(ROW(${before}), ROW(${after}))`;
  return [`CASE WHEN ${applies}`, `THEN ${after} ELSE k.${column.legacy} END`];
}

/** Changed account keys as `m (id, key_id, old_0, new_0, …)`: a row for each per-API row. */
function changedRows(columns: readonly CarriedBack[]): string {
  const values = commaList(
    columns.map((c, at) => `o.${c.target} AS old_${String(at)}, n.${c.target} AS new_${String(at)}`),
  );
  return sql`
    (
      SELECT n.id, n.id AS key_id,
        ${values}
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.origin_api_id IS NOT NULL
      UNION ALL
      SELECT n.id, x.key_id,
        ${values}
      FROM new_rows n
        JOIN old_rows o ON o.id = n.id
        JOIN keylift.outcomes x ON x.account_key_id = n.id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
    ) m`;
}

/** Per-API rows that do not have the value that a change gives them. */
const stillDiffers = ({ legacy: l }: MappedSchema, columns: readonly CarriedBack[]): string => sql`
  ${l.id()} = m.key_id
  AND record_image_ne(
    ${row(columns.map((c) => `k.${c.legacy}`))},
    ${row(columns.map(carriedValue))})`;

const updatePerApiRows = (
  schema: MappedSchema,
  { table, columns }: { table: string; columns: readonly CarriedBack[] },
): string => sql`
  UPDATE ${table} k
  SET ${ASSIGNMENTS}
  FROM ${changedRows(columns)}
  WHERE ${stillDiffers(schema, columns)}
    AND ${ON_PLATFORM_PATH}`;

/**
 * A BEFORE trigger of the platform can alter a row or keep it as it was. Settings must not show what the per-API key does
 * not have.
 */
const refuseAltered = (schema: MappedSchema, columns: readonly CarriedBack[]): string => sql`
  IF ${hasTriggersBeforeUpdate(schema)} THEN
    EXECUTE $statement$
      SELECT array_agg(k.id)
      FROM (SELECT ${schema.legacy.id()} AS id
        FROM ${schema.legacy.keys} k, ${changedRows(columns)}
        WHERE ${stillDiffers(schema, columns)}
        LIMIT 1
      ) k
    $statement$ INTO ids;
    IF ids IS NOT NULL THEN
      RAISE EXCEPTION 'a trigger of ${schema.legacy.keys} made something else of this change for key %', ids[1]
        USING ERRCODE = 'object_not_in_prerequisite_state',
          HINT = 'Settings and the per-API key would differ. Change the key in its API.';
    END IF;
  END IF;`;

/** Row triggers of the platform that run before an UPDATE: bits 1, 2 and 16 of their type. */
const hasTriggersBeforeUpdate = ({ legacy: l }: MappedSchema): string => sql`
  EXISTS (
    SELECT FROM pg_catalog.pg_trigger t
    WHERE t.tgrelid = ${literal(l.keys)}::regclass AND NOT t.tgisinternal AND t.tgtype & 19 = 19
      AND t.tgname NOT LIKE 'keylift\\_%'
  )`;
