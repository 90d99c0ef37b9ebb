import { commaList, literal, sql } from '../database/sql.js';
import { copiedColumns, sourceRow, targetRow } from '../mapping/copy.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { outlivesBoth } from './fragments.js';
import { backOnOwnPath, ON_PLATFORM_PATH } from './platform-path.js';

/*
 * Parts of `settle_few` and `settle_many`, in the order in which they stand there. They make account keys, outcomes and
 * overlaps what `own.verdicts` says of the keys `own.concerned`.
 */

/** The verdicts as rows `v`. */
export const VERDICTS = 'unnest(own.verdicts) v';
const MOVES = `SELECT v.key_id FROM ${VERDICTS} WHERE v.outcome = 'move'`;

/**
 * Is this account key `t` one that no verdict moves, or one whose token a verdict gives to another key? It stays where its
 * row went with its API.
 */
const leaves = (l: LegacyFragments): string => sql`
  t.origin_api_id IS NOT NULL
  AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM ${VERDICTS} WHERE v.outcome = 'move')
  AND (
    t.id NOT IN (${MOVES}) AND NOT ${outlivesBoth(l)}
    OR t.token IN (SELECT v.token FROM ${VERDICTS} WHERE v.outcome = 'move')
  )`;

/** Deletes account keys that do not move, and keeps their last use. */
export function deleteAccountKeys(schema: MappedSchema): string {
  const { legacy: l } = schema;
  return sql`
    -- A key that does not move loses its account key. So does, for an instant, a key whose token another one takes over
    -- in this statement. The ids are looked up one by one first: most often there is none, and a DELETE over many ids
    -- may read the whole table to find that out.
    IF moving = 1 AND cardinality(concerned) = 1 THEN
      leaving := NULL;
    ELSE
      SELECT array_agg(t.id)
      INTO leaving
      FROM unnest(own.concerned) AS c (id),
        LATERAL (SELECT * FROM ${l.target} t WHERE t.id = c.id LIMIT 1) t
      WHERE ${leaves(l)};
    END IF;
    IF leaving IS NOT NULL THEN
      WITH gone AS (
        DELETE FROM ${l.target} t
        WHERE t.id = ANY (own.leaving)
          AND ${leaves(l)}
          AND ${ON_PLATFORM_PATH}
        RETURNING t.id, t.token, t.last_used_at
      )
      SELECT own.deleted
        || coalesce(array_agg(ROW(id, NULL, NULL, NULL, token, last_used_at)::keylift.verdict), '{}')
      INTO deleted
      FROM gone
      WHERE last_used_at IS NOT NULL;
      ${backOnOwnPath(schema)}
    END IF;
    ${keepLastUse(schema)}`;
}

/** A use in Settings that was not synchronised yet must not be lost with the account key. */
const keepLastUse = ({ legacy: l, searchPath }: MappedSchema): string =>
  l.writable.lastUsedAt === null
    ? ''
    : sql`
        -- The last use of a deleted account key goes to its per-API row.
        IF cardinality(deleted) > 0 THEN
          UPDATE ${l.keys} k
          SET ${l.writable.lastUsedAt} = g.last_used_at
          FROM unnest(own.deleted) g
          WHERE ${l.id()} = g.key_id
            AND (${l.lastUsedAt()} IS NULL OR ${l.lastUsedAt()} < g.last_used_at)
            AND ${ON_PLATFORM_PATH};
          ${backOnOwnPath({ searchPath })}
        END IF;`;

/** Deletes outcomes and overlaps that no verdict repeats. */
export const deleteOutcomes = (): string => sql`
  -- A key in keylift.overlaps has a row in keylift.outcomes: the overlap goes before the outcome, or with it.
  IF EXISTS (SELECT FROM unnest(own.concerned) AS c (id) JOIN keylift.outcomes x ON x.key_id = c.id) THEN
    WITH apart AS (
      DELETE FROM keylift.overlaps p
      USING unnest(own.concerned) AS c (id)
      WHERE p.key_id = c.id
        AND p.key_id NOT IN (SELECT v.key_id FROM ${VERDICTS} WHERE v.outcome IN ('exception', 'hold'))
    )
    DELETE FROM keylift.outcomes x
    USING unnest(own.concerned) AS c (id)
    WHERE x.key_id = c.id
      AND x.key_id NOT IN (SELECT v.key_id FROM ${VERDICTS} WHERE v.outcome <> 'move');
  END IF;`;

/** Writes the outcomes that are no move. A merged row is kept whole. */
export const writeOutcomes = ({ legacy: l }: MappedSchema): string => sql`
  IF some_do_not_move THEN
    INSERT INTO keylift.outcomes AS x (
      key_id, outcome, reason, account_key_id, group_key_id, source, opened_api_id, opened_since)
    SELECT v.key_id, v.outcome, v.reason,
      CASE WHEN v.outcome = 'merge' THEN v.account_key_id END,
      v.account_key_id,
      CASE WHEN v.outcome = 'merge' THEN to_jsonb(k) END,
      CASE WHEN v.outcome = 'merge' THEN ${l.api()} END,
      CASE WHEN v.outcome = 'merge' THEN ${l.createdAt()} END
    FROM ${VERDICTS} JOIN ${l.keys} k ON ${l.id()} = v.key_id
    WHERE v.outcome <> 'move'
    ON CONFLICT (key_id) DO UPDATE
    SET outcome = excluded.outcome, reason = excluded.reason, account_key_id = excluded.account_key_id,
      group_key_id = excluded.group_key_id,
      source = excluded.source, opened_api_id = excluded.opened_api_id, opened_since = excluded.opened_since,
      settled_at = clock_timestamp()
    WHERE record_image_ne(
      ROW(x.outcome, x.reason, x.account_key_id, x.group_key_id, x.source),
      ROW(excluded.outcome, excluded.reason, excluded.account_key_id, excluded.group_key_id, excluded.source));
  END IF;`;

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
  const changes = assignments.map(({ differs, set }) => `CASE WHEN bool_or(${differs}) THEN ${literal(set)} END`);
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
    array_to_string(changes, ', ')) USING own.verdicts;
  ${backOnOwnPath(schema)}`;

/** Text of a statement for `format`. */
const inFormat = (text: string): string => text.replaceAll('%', '%%');

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
