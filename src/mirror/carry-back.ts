import { and, commaList, row, sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { comparable } from './fragments.js';

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
export const plannedBySize = (statement: string, { inline = statement } = {}): string => sql`
  IF (SELECT count(*) FROM (SELECT FROM old_rows LIMIT 101) few) > 100 THEN
    EXECUTE $statement$
      ${statement}
    $statement$;
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

/** Carries changed account keys back to their per-API rows, in the legacy table or in the archive; ends the function. */
export function carryBack(schema: MappedSchema, table: string): string {
  const columns = carriedBack(schema);
  if (columns.length === 0) return 'RETURN NULL;';
  const fields = (alias: string): string =>
    commaList([`${alias}.id`, ...columns.map((c) => comparable(`${alias}.${c.target}`, { byText: true }))]);
  return sql`
    IF NOT EXISTS (
      SELECT ${fields('n')}
      FROM new_rows n
      WHERE n.origin_api_id IS NOT NULL
      EXCEPT ALL
      SELECT ${fields('o')}
      FROM old_rows o
    ) THEN
      RETURN NULL;
    END IF;
    ${lockMerged(schema, { table, rows: 'new_rows' })}
    -- One statement for all rows of a repeated token: the mirror must not see some of them changed and others not.
    ${plannedBySize(updatePerApiRows(schema, { table, columns }))}
    RETURN NULL;`;
}

function updatePerApiRows(
  { legacy: l }: MappedSchema,
  { table, columns }: { table: string; columns: readonly CarriedBack[] },
): string {
  const pairs = columns.map((column, at) => ({ ...column, old: `old_${String(at)}`, new: `new_${String(at)}` }));
  // By image, not by equality: some types have none, and some take an upper case letter for its lower case.
  const value = (p: (typeof pairs)[number]): string => sql`
    CASE WHEN ${p.ownRowOnly ? 'm.key_id = m.id AND ' : ''}record_image_ne(ROW(m.${p.old}), ROW(m.${p.new}))
      THEN m.${p.new} ELSE k.${p.legacy} END`;
  const changed = commaList(pairs.map((p) => `o.${p.target} AS ${p.old}, n.${p.target} AS ${p.new}`));
  return sql`
    UPDATE ${table} k
    SET ${pairs.map((p) => sql`${p.legacy} = ${value(p)}`).join(',\n')}
    FROM (
      SELECT n.id, n.id AS key_id,
        ${changed}
      FROM new_rows n JOIN old_rows o ON o.id = n.id
      WHERE n.origin_api_id IS NOT NULL
      UNION ALL
      SELECT n.id, x.key_id,
        ${changed}
      FROM new_rows n
        JOIN old_rows o ON o.id = n.id
        JOIN keylift.outcomes x ON x.account_key_id = n.id
      WHERE x.outcome = 'merge' AND n.origin_api_id IS NOT NULL
    ) m
    WHERE ${l.id()} = m.key_id
      AND record_image_ne(
        ${row(pairs.map((p) => `k.${p.legacy}`))},
        ${row(pairs.map(value))})`;
}
