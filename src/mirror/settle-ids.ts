import { installedFunction, type InstalledFunction } from '../database/plpgsql.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { settleSafely } from './refusals.js';

/** Entries of the change log that the step with the lock applies at most. */
export const MOST_ENTRIES_UNDER_LOCK = 1_000;

/** What a stage calls to bring keys in line: `settle` for ids alone, and for the entries of the change log. */
export const stageFunctions = (schema: MappedSchema): InstalledFunction[] => [
  settleIds(schema),
  applyChangeLog(schema),
];

function settleIds({ legacy: l, types, searchPath }: MappedSchema): InstalledFunction {
  return installedFunction({
    name: 'settle_ids',
    parameters: [{ name: 'touched', type: `${types.id}[]` }],
    returns: 'void',
    searchPath,
    comment: sql`
      Settles the keys with these ids, and all that were or are decided together with them: rows of the same token, of the
      token that the account key still has, and of the duplicates that the ledger knows. Once the mirror is on it locks
      the rows first: settle takes them for its caller's own.`,
    body: sql`
      <<own>>
      DECLARE
        ids ${types.id}[];
        tokens ${types.token}[];
      BEGIN
        SELECT array_agg(DISTINCT grouped.id)
        INTO own.ids
        FROM (
          SELECT unnest(settle_ids.touched) AS id
          UNION ALL
          SELECT x.key_id
          FROM keylift.outcomes x
          WHERE x.group_key_id = ANY (settle_ids.touched)
            OR x.group_key_id IN (
              SELECT y.group_key_id FROM keylift.outcomes y WHERE y.key_id = ANY (settle_ids.touched)
            )
          UNION ALL
          SELECT y.group_key_id FROM keylift.outcomes y
          WHERE y.key_id = ANY (settle_ids.touched) AND y.group_key_id IS NOT NULL
        ) grouped;
        IF own.ids IS NULL THEN RETURN; END IF;
        IF (SELECT m.mirror_on FROM keylift.migration m) THEN
          PERFORM FROM ${l.keys} k WHERE ${l.id()} = ANY (own.ids) ORDER BY ${l.id()} FOR NO KEY UPDATE OF k;
        END IF;
        SELECT array_agg(DISTINCT held.token) FILTER (WHERE length(held.token) > 0)
        INTO own.tokens
        FROM (
          SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.id()} = ANY (own.ids)
          UNION ALL
          SELECT t.token FROM ${l.target} t WHERE t.id = ANY (own.ids)
        ) held;
        ${settleSafely('own.ids', `coalesce(own.tokens, '{}')`, false)}
      END`,
  });
}

const applyChangeLog = ({ types }: MappedSchema): InstalledFunction =>
  installedFunction({
    name: 'apply_change_log',
    parameters: [{ name: 'most', type: 'integer' }],
    returns: 'integer',
    searchPath: 'pg_catalog, pg_temp',
    comment: sql`
      Takes up to so many entries from the change log, settles their keys as they are now, and returns how many entries
      it took. A change that is not committed yet brings its own entry when it commits.`,
    body: sql`
      <<own>>
      DECLARE
        ids ${types.id}[];
        entries integer;
      BEGIN
        WITH taken AS (
          DELETE FROM keylift.change_log
          WHERE ctid = ANY (ARRAY(SELECT ctid FROM keylift.change_log LIMIT apply_change_log.most))
          RETURNING key_id
        )
        SELECT array_agg(DISTINCT key_id), count(*) INTO own.ids, own.entries FROM taken;
        IF own.entries > 0 THEN
          PERFORM keylift.settle_ids(own.ids);
        END IF;
        RETURN own.entries;
      END`,
  });
