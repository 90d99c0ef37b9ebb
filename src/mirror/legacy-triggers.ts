import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { commaList, literal, row, sql } from '../database/sql.js';
import type { MappedSchema, WatchedColumn } from '../mapping/inspect.js';
import { comparable } from './fragments.js';
import { settleSafely } from './refusals.js';
import { IS_WRITE_OF_STAGE } from './own-writes.js';
import { triggerFunction, typeInCatalog } from './platform-path.js';
import { followedColumns } from './single-row.js';

/** Trigger functions of the legacy table, one for each kind of statement. */
export const legacyTriggerFunctions = (schema: MappedSchema): InstalledFunction[] => [
  mirrorInsert(schema),
  mirrorUpdate(schema),
  mirrorDelete(schema),
];

function mirrorInsert(schema: MappedSchema): InstalledFunction {
  return mirrored(schema, {
    name: 'mirror_insert',
    comment: sql`
      Runs after every INSERT into the legacy table. A single row takes the single-row path. For several rows, and where
      that path does not apply, keylift.settle brings the account keys in line with the new rows.`,
    body: sql`
      ${refuseRepeatedId(schema)}
      ${readFirstRow(schema, 'new_rows')}
      ${singleRowPath('mirror_one_insert')}
      ${settlePages(schema, 'new_rows')}
      ${settleRows(schema, ['new_rows k'])}`,
  });
}

function mirrorDelete(schema: MappedSchema): InstalledFunction {
  return mirrored(schema, {
    name: 'mirror_delete',
    comment: sql`
      Runs after every DELETE from the legacy table. A single row takes the single-row path. For several rows, and where
      that path does not apply, keylift.settle brings the account keys in line with the rows that are left.`,
    body: sql`
      ${readFirstRow(schema, 'old_rows')}
      ${singleRowPath('mirror_one_delete')}
      ${settlePages(schema, 'old_rows')}
      ${settleRows(schema, ['old_rows k'])}`,
  });
}

function mirrorUpdate(schema: MappedSchema): InstalledFunction {
  const { legacy: l, types } = schema;
  const columns = (alias: string, as: (column: WatchedColumn) => string): string[] =>
    types.watched.map((column) => as({ ...column, name: `${alias}.${column.name}` }));
  const whole = (alias: string): string => row(columns(alias, ({ name }) => name));
  const compared = (alias: string): string => commaList(columns(alias, (column) => comparable(column.name, column)));
  return mirrored(schema, {
    name: 'mirror_update',
    comment: sql`
      Runs after every UPDATE of the legacy table. It returns at once where no mapped column changed, as when only the
      last use was written. A single row takes the single-row path. For several rows, and where that path does not
      apply, keylift.settle brings the account keys in line with the rows.`,
    declare: sql`
      changed boolean;
      column_changed pg_catalog.text;`,
    body: sql`
      SELECT ${l.id()}, ${l.token()},
        record_image_ne(
          ${whole('k')},
          ${whole('o')}),
        EXISTS (SELECT FROM new_rows OFFSET 1) OR record_image_ne(ROW(${l.id()}), ROW(${l.id('o')})),
        ${onlyChange(schema)}
      INTO id, token, changed, several, column_changed
      FROM new_rows k, old_rows o
      LIMIT 1;
      IF NOT FOUND THEN EXIT body; END IF;
      IF several THEN
        -- EXCEPT rather than a join: its cost does not depend on a plan made for another number of rows.
        IF NOT EXISTS (
          SELECT ${compared('n')} FROM new_rows n
          EXCEPT ALL
          SELECT ${compared('o')} FROM old_rows o
        ) THEN
          EXIT body;
        END IF;
      ELSIF NOT changed THEN
        EXIT body;
      END IF;
      ${refuseRepeatedId(schema)}
      ${singleRowPath('mirror_one_update', 'column_changed')}
      ${settlePages(schema, 'new_rows', tokensStay(schema))}
      ${settleRows(schema, ['old_rows k', 'new_rows k'])}`,
  });
}

/** A statement trigger's function. Bulk writes of keylift are not mirrored. `declare` adds variables. */
const mirrored = (
  schema: MappedSchema,
  { declare, body, ...named }: { name: string; comment: string; declare?: string; body: string },
): InstalledFunction =>
  triggerFunction(schema, {
    ...named,
    declare: sql`
      id ${typeInCatalog(schema.types.id)};
      token ${typeInCatalog(schema.types.token)};
      several boolean;
      ${declare ?? ''}
      ids ${typeInCatalog(schema.types.id)}[];
      tokens ${typeInCatalog(schema.types.token)}[];`,
    body: sql`
      IF ${IS_WRITE_OF_STAGE} THEN EXIT body; END IF;
      ${body}`,
  });

/**
 * The column of the account key that follows the only change of a row, `o` to `k`; several names where more changed.
 */
function onlyChange(schema: MappedSchema): string {
  const changes = followedColumns(schema).map(
    (c) => `CASE WHEN record_image_ne(ROW(${c.source}), ROW(${overOld(c.source)})) THEN ${literal(c.target)} END`,
  );
  return changes.length === 0 ? 'NULL' : `concat_ws(' ', ${commaList(changes)})`;
}

/** A plain column of the old row. */
const overOld = (column: string): string => column.replace(/^k\./, 'o.');

/** Id and token of a row of the statement, and whether the statement has more than one. */
const readFirstRow = ({ legacy: l }: MappedSchema, rows: 'new_rows' | 'old_rows'): string => sql`
  SELECT ${l.id()}, ${l.token()}, EXISTS (SELECT FROM ${rows} OFFSET 1)
  INTO id, token, several
  FROM ${rows} k
  LIMIT 1;`;

const singleRowPath = (name: string, more = ''): string => sql`
  IF NOT several AND NOT keylift.new_table_may_refuse() THEN
    IF keylift.${name}(id, token${more === '' ? '' : `, ${more}`}) THEN EXIT body; END IF;
  END IF;`;

/** Rows that `settle` gets at once where a statement has more: what it holds in memory does not grow further. */
const PAGE = 10_000;

/**
 * Hands the rows of a large statement to `settle` in pages. Not where many rows share a token, as each page would
 * decide all of them, and not where tokens changed: a row of one page may wait for the token of a row of another.
 */
const settlePages = ({ legacy: l }: MappedSchema, rows: 'new_rows' | 'old_rows', and = ''): string => sql`
  IF several AND EXISTS (SELECT FROM ${rows} OFFSET ${PAGE})
    AND (SELECT 2 * count(*) FROM (SELECT FROM ${rows} k GROUP BY ${l.token()}) tokens)
      > (SELECT count(*) FROM ${rows})
    ${and}
  THEN
    ids := '{}';
    tokens := '{}';
    FOR id, token IN SELECT ${l.id()}, ${l.token()} FROM ${rows} k ORDER BY ${l.id()} LOOP
      ids := ids || id;
      IF length(token) > 0 THEN tokens := tokens || token; END IF;
      IF cardinality(ids) = ${PAGE} THEN
        ${settleSafely('ids', 'tokens', true)}
        ids := '{}';
        tokens := '{}';
      END IF;
    END LOOP;
    IF cardinality(ids) > 0 THEN
      ${settleSafely('ids', 'tokens', true)}
    END IF;
    EXIT body;
  END IF;`;

/** Every row of an UPDATE has the id and the token that it had. */
const tokensStay = ({ legacy: l }: MappedSchema): string => sql`
  AND NOT EXISTS (
    SELECT ${l.id('n')}, ${l.token('n')} FROM new_rows n
    EXCEPT
    SELECT ${l.id('o')}, ${l.token('o')} FROM old_rows o
  )`;

/** Hands all ids and tokens of these rows to `settle`. */
function settleRows({ legacy: l }: MappedSchema, sources: readonly string[]): string {
  const rows = sources.map((source) => `SELECT ${l.id()} AS id, ${l.token()} AS token FROM ${source}`);
  return sql`
    SELECT array_agg(DISTINCT id), array_agg(DISTINCT token) FILTER (WHERE length(token) > 0)
    INTO ids, tokens
    FROM (
      ${rows.join('\nUNION ALL\n')}
    ) seen;
    IF ids IS NOT NULL THEN
      ${settleSafely('ids', `coalesce(tokens, '{}')`, true)}
    END IF;`;
}

/** Where no index does, the mirror keeps an id from being in two partitions: it could not tell these keys apart. */
const refuseRepeatedId = ({ legacy: l, types }: MappedSchema): string =>
  types.idMayRepeat
    ? sql`
        IF EXISTS (
          SELECT FROM new_rows n JOIN ${l.keys} k ON ${l.id()} = ${l.id('n')}
          GROUP BY ${l.id()}
          HAVING count(*) > 1
        ) THEN
          RAISE EXCEPTION 'a key with this id is in another partition' USING ERRCODE = 'unique_violation';
        END IF;`
    : '';

/** Both tables refuse TRUNCATE, which fires no trigger that names rows. */
export const refuseTruncate = (): InstalledFunction =>
  installedFunction({
    name: 'refuse_truncate',
    returns: 'trigger',
    security: 'invoker',
    searchPath: 'pg_catalog, pg_temp',
    comment: 'Refuses TRUNCATE of either table: it names no rows, so the other table could not follow.',
    body: sql`
      BEGIN
        RAISE EXCEPTION 'TRUNCATE of % is refused while keylift mirrors it', TG_RELID::regclass
          USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'Delete the rows instead, so that the other table follows, or run keylift rollback first.';
      END`,
  });
