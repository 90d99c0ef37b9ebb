import { copiedColumns } from '../../src/legacy/copy.js';
import { verdictAlone } from '../../src/legacy/rules.js';
import type { MigrationContext } from '../context.js';
import { looksOfSettle } from './judgement.js';

/** No row for a transaction whose snapshot is older than this mirror: the function is always current, the row is not. */
export const OUR_MIGRATION = 'keylift.migration m WHERE m.mirror = keylift.mirror_number()';

/** Variables of `settleAlone`. Parameters take the collation of their arguments, and ids and tokens need not have the same. */
export const aloneVariables = ({ types }: MigrationContext): string => `
      own_id CONSTANT ${types.id}${types.neutral.id} := touched_ids[1];
      own_token CONSTANT ${types.token}${types.neutral.token} := touched_tokens[1];
      own_outcome text;
      own_last_used_at ${types.lastUsedAt};
      present boolean; -- is its account key there?
      involved boolean;`;

/**
 * In `settle`, what most writes are: one key that has its token for itself, kept it, has no word in the ledger, and lies in
 * no range that is still copied. Two statements do for it, a look and a write; `involved` says that it is no such key.
 * The look is one snapshot: where it finds no other row of the token there is none to lock, and one that is committed
 * later meets the token's index, or is found by who builds it.
 */
export function lookAlone({ legacy: l }: MigrationContext): string {
  return `
        SELECT (SELECT m.state FROM ${OUR_MIGRATION}), v.outcome, v.last_used_at, t.id IS NOT NULL,
          coalesce(v.token <> own_token, false)
            -- To some types an upper case letter equals a lower case one.
            OR (v.outcome IS NOT NULL AND t.id IS NOT NULL AND record_image_ne(ROW(t.token), ROW(v.token)))
            OR EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token} = own_token AND ${l.id} <> own_id)
            OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own_id)
            OR EXISTS (SELECT FROM keylift.batches WHERE open)
          INTO migration_state, own_outcome, own_last_used_at, present, involved
          FROM (SELECT) one LEFT JOIN (${verdictAlone(l, { ...looksOfSettle(l), rows: `${l.id} = own_id` })}) v ON true
            LEFT JOIN ${l.target} t ON ${ACCOUNT_KEY};`;
}

const ACCOUNT_KEY = 't.id = own_id AND t.origin_api_id IS NOT NULL';

/**
 * In `settle`, what follows from the look. `settled` says that this was all; whatever else is found is left to the
 * judgement, which begins anew and takes nothing from here.
 */
export function writeAlone({ legacy: l }: MigrationContext): string {
  const columns = copiedColumns(l);
  const toFollow = columns.filter(({ target }) => target !== 'token'); // one that changed is the judgement's
  return `
        IF own_outcome = 'move' AND present THEN
          UPDATE ${l.target} t SET ${toFollow.map((c) => `${c.target} = ${c.source}`).join(', ')}, last_used_at = greatest(t.last_used_at, own_last_used_at)
            FROM ${l.keys} k WHERE ${l.id} = own_id AND ${ACCOUNT_KEY}
              AND record_image_ne(ROW(${toFollow.map((c) => `t.${c.target}`).join(', ')}), ROW(${toFollow.map((c) => c.source).join(', ')}));
          settled := FOUND; -- or nothing was to follow, or it is gone: the judgement tells
        ELSIF own_outcome = 'move' THEN
          INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')}, last_used_at)
            SELECT ${l.id}, ${columns.map((c) => c.source).join(', ')}, own_last_used_at FROM ${l.keys} k WHERE ${l.id} = own_id
            ON CONFLICT DO NOTHING;
          settled := FOUND; -- or another session's row kept it out: with a fresh snapshot the rules see it
        ELSIF own_outcome IS NULL AND present THEN
          DELETE FROM ${l.target} t WHERE ${ACCOUNT_KEY} AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id} = own_id);
          settled := FOUND; -- or the row is there, and is no per-API key any more
        ELSE
          settled := NOT present AND coalesce(own_outcome, 'stay') = 'stay';
        END IF;`;
}
