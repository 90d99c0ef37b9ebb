import { copiedColumns } from '../../src/legacy/copy.js';
import type { LegacyFragments } from '../../src/legacy/fragments.js';
import { settledByItself } from '../../src/legacy/rules.js';

/** Condition over `k`: a key born in Settings holds this token. */
export const takenBySettings = (l: LegacyFragments): string => `EXISTS (SELECT FROM ${l.target} b WHERE b.token = ${l.token} AND b.origin_api_id IS NULL)`;

/**
 * The common change, in `settle_few`: one key whose token no other row has, that nobody holds and of which the ledger
 * has no word. It stays, or its account key is written, without comparing anybody with anybody. Whatever is not as
 * simple as that, or turns out to be another session's meanwhile, goes on to the judgement below.
 */
export function settleAlone(l: LegacyFragments): string {
  const columns = copiedColumns(l);
  const names = columns.map((c) => c.target);
  const joined = `${l.keys} k JOIN ${l.apis} a ON ${l.apiId} = ${l.api} LEFT JOIN ${l.accounts} o ON ${l.accountId} = ${l.account}`;
  return `
        IF cardinality(concerned) = 1 AND cardinality(left_for_now) = 0 THEN
          SELECT ${columns.map((c) => `${c.source} AS ${c.target}`).join(', ')}, ${l.lastUsedAt} AS keylift_last_used_at, ${settledByItself(l)} AS keylift_settled, t.id IS NOT NULL AS keylift_present,
              record_image_ne(ROW(${names.map((c) => `t.${c}`).join(', ')}), ROW(${columns.map((c) => c.source).join(', ')})) AS keylift_differs INTO alone
            FROM ${joined} LEFT JOIN ${l.target} t ON t.id = ${l.id}
            WHERE ${l.id} = concerned[1] AND ${l.isPerApiKey}
              AND NOT EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = ${l.id})
              AND NOT EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = ${l.account})
              AND NOT ${takenBySettings(l)} AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id})
              AND (t.id IS NULL OR (t.origin_api_id IS NOT NULL AND t.token = ${l.token}));
          IF FOUND THEN CASE
            WHEN alone.keylift_settled = 'stay' AND NOT alone.keylift_present THEN RETURN;
            WHEN alone.keylift_settled IS NOT NULL THEN NULL;
            WHEN alone.keylift_present AND NOT alone.keylift_differs THEN RETURN;
            WHEN alone.keylift_present THEN
              UPDATE ${l.target} t SET ${names.map((c) => `${c} = alone.${c}`).join(', ')}, last_used_at = greatest(t.last_used_at, alone.keylift_last_used_at)
                WHERE t.id = concerned[1] AND t.origin_api_id IS NOT NULL AND t.token = alone.token;
              IF FOUND THEN RETURN; END IF;
            ELSE
              INSERT INTO ${l.target} (id, ${names.join(', ')}, last_used_at)
                VALUES (concerned[1], ${names.map((c) => `alone.${c}`).join(', ')}, alone.keylift_last_used_at)
                ON CONFLICT DO NOTHING;
              IF FOUND THEN RETURN; END IF;
          END CASE; END IF;
        END IF;`;
}
