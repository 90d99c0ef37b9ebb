import { commaList, inFormat, literal, sql } from '../database/sql.js';
import { copiedColumns, sourceRow, targetRow } from '../mapping/copy.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { VERDICTS } from './apply-verdicts.js';
import { backOnOwnPath, ON_PLATFORM_PATH } from './platform-path.js';

/** Updates and inserts the account keys of the keys that move. */
export const writeAccountKeys = (schema: MappedSchema): string => sql`
  ${findMoved(schema)}
  IF retokened THEN
    BEGIN
      ${updateMoved(schema)}
    EXCEPTION WHEN unique_violation THEN
      -- Another session just wrote a row with this token; with a new snapshot the rules see it.
      IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
        RAISE EXCEPTION 'could not serialize access due to a token written meanwhile'
          USING ERRCODE = 'serialization_failure';
      END IF;
      CONTINUE;
    END;
  ELSIF changes IS NOT NULL THEN
    ${updateMoved(schema)}
  END IF;
  IF moved < moving THEN
    IF cardinality(deleted) = 0 THEN
      ${insertMoved(schema, { lastUsedAt: 'v.last_used_at', joins: '' })}
    ELSE
      ${insertMoved(schema, {
        lastUsedAt: 'greatest(v.last_used_at, g.last_used_at, h.last_used_at)',
        joins: lastUseOfDeleted(schema),
      })}
    END IF;
  END IF;`;

/** How many account keys are there, whether one gets another token, and the assignments of the columns that differ. */
function findMoved(schema: MappedSchema): string {
  const assignments = [
    ...copiedColumns(schema.legacy).map((c) => ({
      differs: `record_image_ne(ROW(t.${c.target}), ROW(${c.source}))`,
      set: `${c.target} = ${c.source}`,
    })),
    {
      differs: 't.last_used_at < v.last_used_at OR t.last_used_at IS NULL AND v.last_used_at IS NOT NULL',
      set: LAST_USE,
    },
  ];
  const changes = assignments.map(
    ({ differs, set }) => sql`
      CASE WHEN bool_or(${differs})
        THEN ${literal(set)} END`,
  );
  return sql`
    SELECT count(*), coalesce(bool_or(t.token <> v.token), false),
      nullif(array_remove(ARRAY[
        ${commaList(changes)}
      ], NULL), '{}')
    INTO moved, retokened, changes
    FROM
      ${movingRows(schema)}
      JOIN ${schema.legacy.target} t ON t.id = v.key_id AND t.origin_api_id IS NOT NULL
    WHERE v.outcome = 'move';`;
}

const LAST_USE = 'last_used_at = greatest(t.last_used_at, v.last_used_at)';

/** The verdicts with their legacy rows. */
const movingRows = ({ legacy: l }: MappedSchema): string => sql`
  ${VERDICTS}
  JOIN ${l.keys} k ON ${l.id()} = v.key_id
  LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
  LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}`;

/** Sets the columns that differ in any row and no other: the platform's triggers may watch single columns. */
const updateMoved = (schema: MappedSchema): string => sql`
  EXECUTE format(
    $statement$
      UPDATE ${schema.legacy.target} t
      SET %s
      FROM
        ${inFormat(movingRows(schema).replaceAll('own.verdicts', '$1'))}
      WHERE v.outcome = 'move' AND t.id = v.key_id AND t.origin_api_id IS NOT NULL
        AND record_image_ne(
          ${inFormat(targetRow(copiedColumns(schema.legacy)))},
          ${inFormat(sourceRow(copiedColumns(schema.legacy)))})
        AND ${ON_PLATFORM_PATH}
    $statement$,
    array_to_string(changes, ', '))
    -- Without the tokens: a plan that the server logs names what it is given.
    USING ARRAY(
      SELECT ROW(v.key_id, v.outcome, NULL, NULL, NULL, v.last_used_at)::keylift.verdict
      FROM ${VERDICTS}
      WHERE v.outcome = 'move'
    );
  ${backOnOwnPath(schema)}`;

function insertMoved(schema: MappedSchema, { lastUsedAt, joins }: { lastUsedAt: string; joins: string }): string {
  const { legacy: l } = schema;
  const columns = copiedColumns(l);
  return sql`
    INSERT INTO ${l.target}
      (${commaList(['id', ...columns.map((c) => c.target), 'last_used_at'])})
    SELECT ${commaList(['v.key_id', ...columns.map((c) => c.source), lastUsedAt])}
    FROM
      ${movingRows(schema)}
      ${joins}
    WHERE v.outcome = 'move' AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = v.key_id)
      AND ${ON_PLATFORM_PATH}
    ON CONFLICT DO NOTHING;
    ${backOnOwnPath(schema)}`;
}

/** Last use of account keys deleted above: by key, and by token where the key is gone or has another id now. */
const lastUseOfDeleted = ({ legacy: l }: MappedSchema): string => sql`
  LEFT JOIN (
    SELECT g.key_id, max(g.last_used_at) AS last_used_at
    FROM unnest(own.deleted) g
    GROUP BY 1
  ) g ON g.key_id = v.key_id
  LEFT JOIN (
    SELECT h.token, max(h.last_used_at) AS last_used_at
    FROM unnest(own.deleted) h
    WHERE NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = h.key_id)
    GROUP BY 1
  ) h ON h.token = v.token`;
