import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { and, commaList, literal, sql } from '../database/sql.js';
import { copiedColumns, sourceRow, targetRow, type CopiedColumn } from '../mapping/copy.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { movesAlone } from '../mapping/rules/verdicts.js';
import { KEPT_PLANS, mirrorVerdicts, standsAlone, THIS_MIGRATION } from './fragments.js';
import { LATE } from './late-keys.js';
import { MARK_VARIABLES, marked } from './own-writes.js';
import { backOnOwnPath, ON_PLATFORM_PATH, PATH_VARIABLE } from './platform-path.js';

/** Columns that the rules ask about. Where account key and per-API key agree in them, the verdict has not changed. */
const DECISIVE = new Set(['account_id', 'token', 'origin_api_id', 'created_at']);

/** Not while a rollback takes account keys out, and not for a snapshot that is older than the mirror. */
const IN_FORCE = `(SELECT m.state FROM ${THIS_MIGRATION}) <> 'rolling_back'`;

/**
 * The single-row path: `keylift.mirror_one_insert`, `_update` and `_delete` carry the change of one legacy row over in
 * one statement and return whether that was all there is to do. To begin a statement costs more than its answer, and most
 * writes are of a key that no other row shares its token with. Each statement asks, in its own snapshot, for all that
 * could make the case a different one, and then does nothing: `settle` decides from the state. docs/races.md says why no
 * lock is needed.
 */
export const singleRowFunctions = (schema: MappedSchema): InstalledFunction[] => [
  insertOne(schema),
  updateOne(schema),
  deleteOne(schema),
];

/**
 * A row of the same token that another session commits meanwhile keeps the account key out at the token's index, or the
 * build of that index finds it.
 */
function insertOne(schema: MappedSchema): InstalledFunction {
  const { legacy: l } = schema;
  const columns = copiedColumns(l);
  return singleRowFunction(schema, {
    name: 'mirror_one_insert',
    comment: sql`
      Inserts the account key of one new legacy row. Returns false, and writes nothing, where the rules need to look at
      more than this row.`,
    statement: sql`
      INSERT INTO ${l.target}
        (${commaList(['id', ...columns.map((c) => c.target), 'last_used_at'])})
      SELECT ${commaList([l.id(), ...columns.map((c) => c.source), l.lastUsedAt()])}
      FROM
        ${l.from}
      WHERE ${l.id()} = own.id
        AND ${l.isPerApiKey()}
        AND ${movesAlone(l, mirrorVerdicts(l))}
        AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
        ${and(standsAlone(l))}
        AND ${IN_FORCE}
        AND ${ON_PLATFORM_PATH}
      ON CONFLICT DO NOTHING;`,
  });
}

function updateOne(schema: MappedSchema): InstalledFunction {
  const followed = followedColumns(schema);
  return singleRowFunction(schema, {
    name: 'mirror_one_update',
    parameters: [{ name: 'changed', type: 'text' }],
    comment: sql`
      Updates the account key of one legacy row where a single column changed, one that no rule asks about. Returns
      false, and writes nothing, where more changed or the rules need to look at more than this row.`,
    statement: followed
      .map(
        (column, at) => sql`
        ${at === 0 ? 'IF' : 'ELSIF'} changed = ${literal(column.target)} THEN
          ${updateColumn(schema, column)}`,
      )
      .concat(followed.length === 0 ? 'RETURN false;' : 'ELSE\n  RETURN false;\nEND IF;')
      .join('\n'),
  });
}

/** Columns that no rule asks about and that the configuration does not compute. */
export const followedColumns = ({ legacy: l }: MappedSchema): CopiedColumn[] =>
  copiedColumns(l).filter((c) => !DECISIVE.has(c.target) && !c.computed);

/** No column but this one may differ: the others are settle's work. */
function updateColumn({ legacy: l }: MappedSchema, column: CopiedColumn): string {
  const others = copiedColumns(l).filter((c) => c.target !== column.target);
  return sql`
    UPDATE ${l.target} t
    SET ${column.target} = ${column.source}
    FROM
      ${l.from}
    WHERE ${l.id()} = own.id AND t.id = own.id AND t.origin_api_id IS NOT NULL
      AND record_image_eq(
        ${targetRow(others)},
        ${sourceRow(others)})
      AND record_image_ne(ROW(t.${column.target}), ROW(${column.source}))
      AND ${l.isPerApiKey()}
      AND ${movesAlone(l, mirrorVerdicts(l))}
      ${and(standsAlone(l))}
      AND ${IN_FORCE}
      AND ${ON_PLATFORM_PATH};`;
}

function deleteOne(schema: MappedSchema): InstalledFunction {
  const { legacy: l } = schema;
  return singleRowFunction(schema, {
    name: 'mirror_one_delete',
    comment: sql`
      Deletes the account key of one deleted legacy row. Returns false, and writes nothing, where other rows share the
      token or follow the account key.`,
    statement: sql`
      DELETE FROM ${l.target} t
      WHERE t.id = own.id AND t.origin_api_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = own.id)
        ${and(standsAlone(l))}
        AND ${IN_FORCE}
        AND ${ON_PLATFORM_PATH};`,
  });
}

/** `statement` names its parameters `own.id` and `own.token`; FOUND says whether it did all there is to do. */
function singleRowFunction(
  { types, searchPath }: MappedSchema,
  {
    name,
    parameters = [],
    comment,
    statement,
  }: { name: string; parameters?: { name: string; type: string }[]; comment: string; statement: string },
): InstalledFunction {
  return installedFunction({
    name,
    parameters: [{ name: 'touched_id', type: types.id }, { name: 'touched_token', type: types.token }, ...parameters],
    returns: 'boolean',
    searchPath,
    settings: KEPT_PLANS,
    comment,
    body: sql`
      <<own>>
      DECLARE
        -- Copies: a parameter takes the collation of its argument.
        id CONSTANT ${types.id}${types.neutral.id} := touched_id;
        token CONSTANT ${types.token}${types.neutral.token} := touched_token;
        ${MARK_VARIABLES}
        ${PATH_VARIABLE}
        done boolean;
      BEGIN
        ${marked(sql`
          ${statement}
          done := FOUND;
          ${backOnOwnPath({ searchPath })}`)}
        -- While finalize archives rows, keylift.settle notes the keys that it looked at.
        RETURN done AND to_regclass('${LATE}') IS NULL;
      END`,
  });
}
