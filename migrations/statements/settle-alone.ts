import { copiedColumns } from '../../src/legacy/copy.js';
import { verdictAlone } from '../../src/legacy/rules.js';
import type { MigrationContext } from '../context.js';
import { looksOfSettle } from './judgement.js';

/** No row for a transaction whose snapshot is older than this mirror: the function is always current, the row is not. */
export const OUR_MIGRATION = 'keylift.migration m WHERE m.mirror = keylift.mirror_number()';

/**
 * Variables of the look, in a block called `own`: statements name them by it, or a column of the operator's that is called
 * the same would be taken for them. Parameters take the collation of their arguments, and ids and tokens need not have
 * the same.
 */
export const aloneVariables = ({ types }: MigrationContext): string => `
      id CONSTANT ${types.id}${types.neutral.id} := touched_ids[1];
      token CONSTANT ${types.token}${types.neutral.token} := touched_tokens[1];
      outcome text;
      last_used_at ${types.lastUsedAt};
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
          coalesce(v.token <> own.token, false)
            -- To some types an upper case letter equals a lower case one.
            OR (v.outcome IS NOT NULL AND t.id IS NOT NULL AND record_image_ne(ROW(t.token), ROW(v.token)))
            OR EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token} = own.token AND ${l.id} <> own.id)
            OR EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = own.id)
            OR EXISTS (SELECT FROM keylift.batches WHERE open)
          INTO own.migration_state, own.outcome, own.last_used_at, own.present, own.involved
          FROM (SELECT) one LEFT JOIN (${verdictAlone(l, { ...looksOfSettle(l), rows: `${l.id} = own.id` })}) v ON true
            LEFT JOIN ${l.target} t ON ${ACCOUNT_KEY};`;
}

const ACCOUNT_KEY = 't.id = own.id AND t.origin_api_id IS NOT NULL';

/**
 * In `settle`, what follows from the look. `settled` says that this was all; whatever else is found is left to the
 * judgement, which begins anew and takes nothing from here.
 */
export function writeAlone({ legacy: l }: MigrationContext): string {
  const columns = copiedColumns(l);
  const toFollow = columns.filter(({ target }) => target !== 'token'); // one that changed is the judgement's
  return `
        IF own.outcome = 'move' AND own.present THEN
          UPDATE ${l.target} t SET ${toFollow.map((c) => `${c.target} = ${c.source}`).join(', ')}, last_used_at = greatest(t.last_used_at, own.last_used_at)
            FROM ${l.keys} k WHERE ${l.id} = own.id AND ${ACCOUNT_KEY}
              AND record_image_ne(ROW(${toFollow.map((c) => `t.${c.target}`).join(', ')}), ROW(${toFollow.map((c) => c.source).join(', ')}));
          settled := FOUND; -- or there was nothing to follow, or its account went, and it went along
          IF NOT settled THEN settled := EXISTS (SELECT FROM ${l.target} t WHERE ${ACCOUNT_KEY}); END IF;
        ELSIF own.outcome = 'move' THEN
          INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')}, last_used_at)
            SELECT ${l.id}, ${columns.map((c) => c.source).join(', ')}, own.last_used_at FROM ${l.keys} k WHERE ${l.id} = own.id
            ON CONFLICT DO NOTHING;
          settled := FOUND; -- or another session's row kept it out: with a fresh snapshot the rules see it
        ELSIF own.outcome IS NULL AND own.present THEN
          DELETE FROM ${l.target} t WHERE ${ACCOUNT_KEY} AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id} = own.id);
          settled := FOUND; -- or the row is there, and is no per-API key any more
        ELSE
          settled := NOT own.present AND coalesce(own.outcome, 'stay') = 'stay';
        END IF;`;
}
