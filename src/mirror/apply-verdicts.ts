import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { backOnOwnPath, ON_PLATFORM_PATH } from './platform-path.js';

/*
 * Parts of `settle_few` and `settle_many`, in the order in which they stand there. They make account keys, outcomes and
 * overlaps what `own.verdicts` says of the keys `own.concerned`.
 */

export const VERDICTS = 'unnest(own.verdicts) v';
const MOVES = `SELECT v.key_id FROM ${VERDICTS} WHERE v.outcome = 'move'`;

/** Is this account key `t` one that no verdict moves, or one whose token a verdict gives to another key? */
const LEAVES = sql`
  t.origin_api_id IS NOT NULL
  AND (t.id, t.token) NOT IN (SELECT v.key_id, v.token FROM ${VERDICTS} WHERE v.outcome = 'move')
  AND (
    t.id NOT IN (${MOVES})
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
      WHERE ${LEAVES};
    END IF;
    IF leaving IS NOT NULL THEN
      WITH gone AS (
        DELETE FROM ${l.target} t
        WHERE t.id = ANY (own.leaving)
          AND ${LEAVES}
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
      CASE WHEN v.outcome = 'merge' THEN row_to_json(k) END,
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

/** Returns once every key that moves has its account key; else the loop looks again. */
export const returnIfComplete = ({ legacy: l }: MappedSchema): string => sql`
  -- A row that another session just wrote can have kept ours out; with a new snapshot the rules see it. An account
  -- key can also have gone with its account, where the per-API row changed its account meanwhile.
  IF NOT EXISTS (
    SELECT FROM ${VERDICTS}
    WHERE v.outcome = 'move'
      AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = v.key_id AND t.origin_api_id IS NOT NULL)
  ) THEN
    ${writeOverlaps(l)}
    RETURN;
  END IF;`;

/** A token that both tables answer for costs authorize a second look. */
const writeOverlaps = (l: MappedSchema['legacy']): string => sql`
  -- keylift.overlaps has a row for each key, not for each token: no writer waits for another one.
  IF some_do_not_move AND EXISTS (SELECT FROM ${VERDICTS} WHERE v.outcome IN ('exception', 'hold')) THEN
    IF EXISTS (SELECT FROM ${VERDICTS} JOIN keylift.overlaps p ON p.key_id = v.key_id) THEN
      DELETE FROM keylift.overlaps p
      USING ${VERDICTS}
      WHERE p.key_id = v.key_id AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.token = v.token);
    END IF;
    INSERT INTO keylift.overlaps (key_id)
    SELECT v.key_id
    FROM ${VERDICTS}
    WHERE v.outcome IN ('exception', 'hold')
      AND (
        v.token IN (SELECT m.token FROM unnest(own.verdicts) m WHERE m.outcome = 'move')
        OR EXISTS (SELECT FROM ${l.target} b WHERE b.token = v.token AND b.origin_api_id IS NULL)
      )
    ON CONFLICT DO NOTHING;
  END IF;`;
