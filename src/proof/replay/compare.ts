import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import { opensFor, opensForAny } from '../../mapping/store.js';
import { isSwitched } from '../../resolver/cohort.js';
import { expectedOutcomes } from '../rules.js';
import { MOST_LISTED } from './document.js';
import { KIND_NAMES, KINDS } from './kinds.js';
import { accountKeys, COHORTS, fingerprint, perApiKeys, requests } from './rows.js';
import type { Sources } from './sources.js';

/*
 * Recorded decisions against both rules of who may enter. The rules are predicates over rows, written apart from
 * `keylift.authorize`, whose own answer is compared with them.
 */

/** The tokens that open the store by the rules of the move, and by the account keys that exist. */
const opening = ({ finality }: Sources): string => sql`
  ${expectedOutcomes({
    finality,
    nativeKeyHas: (token) => `${token} IN (SELECT n.token FROM account_keys n WHERE n.is_native)`,
  })},
  widened AS MATERIALIZED (
    SELECT token, account_id FROM expected WHERE outcome = 'move' AND alive
  ), opening AS MATERIALIZED (
    SELECT DISTINCT ON (token) token, id, account_id, is_native
    FROM account_keys
    WHERE alive
    ORDER BY token, is_native
  )`;

/** What each rule says of a token at an API of its own. Of several living rows the earliest answers, then the lowest id. */
function atOwnApis({ accountKeys: moved }: Sources): string {
  const switched = moved ? isSwitched('s.account_id', COHORTS) : 'false';
  return sql`
    old_rule AS MATERIALIZED (
      SELECT DISTINCT ON (token, api_id) token, api_id, id, account_id
      FROM source
      WHERE alive
      ORDER BY token, api_id, created_at, id
    ), own_answers AS MATERIALIZED (
      SELECT token, api_id,
        bool_or(NOT (in_store AND has_account_key)) AS for_good,
        bool_or(NOT (in_store AND has_account_key AND ${switched})) AS today
      FROM source s
      WHERE alive
      GROUP BY token, api_id
    ), dead_here AS MATERIALIZED (
      SELECT DISTINCT token, api_id FROM source WHERE NOT alive
    ), dead_everywhere AS MATERIALIZED (
      SELECT token
      FROM (
        SELECT token, alive FROM expected WHERE may_move
        UNION ALL
        SELECT token, alive FROM account_keys
      ) keys
      GROUP BY token
      HAVING NOT bool_or(alive)
    ), dead_source AS MATERIALIZED (
      SELECT token FROM source GROUP BY token HAVING NOT bool_or(alive)
    ), of_accounts AS MATERIALIZED (
      SELECT DISTINCT token, account_id FROM source
    ), shown AS MATERIALIZED (
      SELECT DISTINCT ON (token) token, id, account_id
      FROM (
        SELECT token, id, account_id, created_at, 1 AS rank FROM source
        UNION ALL
        SELECT token, id, account_id, NULL, 2 FROM account_keys
      ) keys
      ORDER BY token, rank, created_at, id
    )`;
}

/** Each request at each API of its slug. */
const atApis = ({ schema: { legacy: l, types }, authorize }: Sources): string => sql`
  apis AS MATERIALIZED (
    SELECT ${l.apiId()} AS id, ${l.slug()}::text AS slug${l.apiNeedsAccount ? '' : `, ${l.inStore()} AS in_store`}
    FROM ${l.apis} a
    WHERE ${l.slug()}::text IN (SELECT api FROM given)
  ), pairs AS MATERIALIZED (
    SELECT DISTINCT r.sent AS token, a.id AS api_id
    FROM requests r JOIN apis a ON a.slug = r.api
    WHERE r.sent IS NOT NULL
  ), answers AS MATERIALIZED (
    ${
      authorize
        ? sql`
            SELECT p.token, p.api_id, f.key_id, f.account_id
            FROM pairs p CROSS JOIN LATERAL keylift.authorize(p.token, p.api_id) f`
        : sql`
            SELECT token, api_id, NULL::${types.id} AS key_id, NULL::${types.account} AS account_id
            FROM pairs
            WHERE false`
    }
  )`;

/** The decision by the old rule, by the new one, and by the function that gateways call. */
function decided({ schema: { legacy: l }, accountKeys: moved }: Sources): string {
  // Where accounts have store APIs of their own, the account of the key that answers decides.
  const asks = 'coalesce(acc.account_id, w.account_id, s.account_id)';
  const inStore = l.apiNeedsAccount ? opensFor(l, { api: 'door.id', account: asks }) : 'coalesce(door.in_store, false)';
  const after = moved
    ? `coalesce(own.for_good, false) OR (${inStore} AND acc.token IS NOT NULL)`
    : `old.token IS NOT NULL OR (${inStore} AND (acc.token IS NOT NULL OR w.token IS NOT NULL))`;
  return sql`
    decided AS MATERIALIZED (
      SELECT r.line, r.times, r.allowed AS recorded, r.sent, r.api AS slug, door.id AS api_id, ${inStore} AS in_store,
        coalesce(r.key_id, old.id, acc.id, s.id) AS key_id,
        r.key_known OR s.token IS NOT NULL AS key_known,
        old.token IS NOT NULL AS before,
        ${after} AS after,
        old.account_id AS old_account, acc.account_id AS new_account,
        w.token IS NOT NULL OR coalesce(acc.is_native, false) AS predicted,
        dh.token IS NOT NULL AS dead_here,
        de.token IS NOT NULL AS dead_everywhere,
        ds.token IS NOT NULL OR NOT (r.key_known OR s.token IS NOT NULL) AS nothing_lives,
        acc.token IS NOT NULL AND ${inStore} AND NOT acc.is_native AND s.token IS NOT NULL
          AND (r.sent, acc.account_id) NOT IN (
            SELECT token, account_id FROM of_accounts WHERE account_id IS NOT NULL
          ) AS foreign_key,
        f.token IS NOT NULL AS now, f.account_id AS now_account,
        coalesce(own.today, false) OR (${inStore} AND today.token IS NOT NULL) AS expected_now
      FROM requests r
        LEFT JOIN apis door ON door.slug = r.api
        LEFT JOIN old_rule old ON old.token = r.sent AND old.api_id = door.id
        LEFT JOIN own_answers own ON own.token = r.sent AND own.api_id = door.id
        LEFT JOIN dead_here dh ON dh.token = r.sent AND dh.api_id = door.id
        LEFT JOIN dead_everywhere de ON de.token = r.sent
        LEFT JOIN dead_source ds ON ds.token = r.sent
        LEFT JOIN widened w ON w.token = r.sent
        LEFT JOIN opening acc ON acc.token = r.sent
        LEFT JOIN (
          SELECT DISTINCT token FROM account_keys WHERE alive AND switched
        ) today ON today.token = r.sent
        LEFT JOIN shown s ON s.token = r.sent
        LEFT JOIN (
          SELECT DISTINCT ON (token, api_id) token, api_id, account_id FROM answers ORDER BY token, api_id
        ) f ON f.token = r.sent AND f.api_id = door.id
    )`;
}

/** The kind of an answer for an API that is not a store API of the account. */
const notInStore = (l: LegacyFragments): string =>
  l.apiNeedsAccount
    ? sql`
        CASE WHEN EXISTS (SELECT FROM ${l.apis} a WHERE ${l.apiId()} = decided.api_id AND ${opensForAny(l)})
          THEN 'gained_foreign' ELSE 'gained_custom' END`
    : `'gained_custom'`;

/** The kind of each difference, what is wrong whatever was recorded first; `same` is no difference. */
function classified({ schema: { legacy: l }, authorize }: Sources): string {
  const answer = sql`
    WHEN now AND NOT expected_now THEN
      CASE WHEN NOT in_store THEN ${notInStore(l)} WHEN nothing_lives THEN 'revived' ELSE 'gained_store' END
    WHEN expected_now AND NOT now THEN 'lost'
    WHEN now AND now_account IS DISTINCT FROM CASE WHEN before THEN old_account ELSE new_account END
      THEN 'gained_foreign'`;
  return sql`
    classified AS MATERIALIZED (
      SELECT *,
        CASE
          ${authorize ? answer : ''}
          WHEN before AND NOT after THEN 'lost'
          WHEN after AND NOT before AND foreign_key THEN 'gained_foreign'
          WHEN after AND NOT before AND NOT predicted THEN
            CASE WHEN nothing_lives THEN 'revived' ELSE 'gained_store' END
          WHEN api_id IS NULL THEN CASE WHEN recorded THEN 'unknown_api' ELSE 'same' END
          WHEN NOT key_known THEN CASE WHEN recorded THEN 'unknown_key' ELSE 'same' END
          WHEN after AND NOT before THEN CASE WHEN recorded THEN 'widened_before' ELSE 'widened' END
          WHEN recorded = before THEN 'same'
          WHEN before THEN 'refused_otherwise'
          WHEN dead_here OR (in_store AND dead_everywhere) THEN 'closed_since'
          ELSE 'no_rule'
        END AS kind
      FROM decided
    )`;
}

/** What agrees best counts first; a kind that does not depend on the recording counts at whichever API it is found. */
const rankOf = (kind: string): string => {
  const listOf = (explained: boolean): string =>
    KIND_NAMES.filter((name) => KINDS[name].explained === explained)
      .map((name) => `'${name}'`)
      .join(', ');
  return sql`
    CASE
      WHEN ${kind} IN ('lost', 'gained_custom', 'gained_foreign', 'revived', 'gained_store') THEN 0
      WHEN ${kind} = 'same' THEN 1
      WHEN ${kind} IN (${listOf(true)}) THEN 2
      ELSE 3
    END`;
};

/**
 * Compares decisions with both rules in one statement, so in one snapshot. The recording does not say which API was meant
 * where several have the slug: the decision is compared at each of them, and the one that agrees best counts.
 */
export const compareDecisions = (sources: Sources): string => sql`
  /* comparing recorded decisions */
  WITH ${requests(sources)},
  ${perApiKeys(sources)},
  ${accountKeys(sources)},
  ${opening(sources)},
  ${atOwnApis(sources)},
  ${atApis(sources)},
  ${decided(sources)},
  ${classified(sources)},
  best AS MATERIALIZED (
    SELECT DISTINCT ON (line) *, count(*) OVER (PARTITION BY line) > 1 AS ambiguous
    FROM classified
    ORDER BY line, ${rankOf('kind')}, api_id
  ), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY line) AS place FROM best WHERE kind <> 'same'
  )
  SELECT coalesce(sum(times) FILTER (WHERE kind = 'same'), 0) AS same,
    coalesce(sum(times) FILTER (WHERE NOT key_known), 0) AS unknown_keys,
    coalesce(sum(times) FILTER (WHERE api_id IS NULL), 0) AS unknown_apis,
    coalesce(sum(times) FILTER (WHERE ambiguous), 0) AS ambiguous_apis,
    (SELECT count(*) FROM pairs) AS pairs,
    (
      SELECT coalesce(jsonb_object_agg(kind, decisions), '{}')
      FROM (
        SELECT kind, sum(times) AS decisions FROM numbered GROUP BY kind
      ) counted
    ) AS kinds,
    (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'kind', kind, 'line', line, 'times', times, 'key_id', key_id::text,
        'fingerprint', ${fingerprint('sent', sources)}, 'api', slug, 'recorded', recorded,
        'before', before, 'after', after, 'now', ${sources.authorize ? 'now' : 'NULL'}) ORDER BY line), '[]')
      FROM numbered
      WHERE place <= ${MOST_LISTED}
    ) AS differences
  FROM best`;
