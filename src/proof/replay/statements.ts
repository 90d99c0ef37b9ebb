import { isSwitched } from '../../resolver/cohort.js';
import { MOST_LISTED } from './document.js';
import type { Ground } from './ground.js';
import { KIND_NAMES, KINDS } from './kinds.js';
import { accountKeys, COHORTS, fingerprint, given, keysNamed, perApiKeys } from './rows.js';

/*
 * The replay's own reading of the rules, over the tokens of one sheet of decisions. Both rules are predicates over rows,
 * written apart from `keylift.authorize` and from the statements that moved the keys; the function is asked beside them.
 */

/** Tokens that the rules widen, by the source alone: one account, one life, alive, not held, and no key of Settings has them. */
const WIDENED = `
    held_groups AS (
      SELECT token, account FROM per_api GROUP BY token, account HAVING bool_or(held)
    ), eligible AS (
      SELECT p.*, (p.token, p.account) IN (SELECT token, account FROM held_groups) AS kept_back FROM per_api p WHERE p.eligible
    ), widened AS MATERIALIZED (
      SELECT token FROM eligible GROUP BY token
      HAVING count(DISTINCT account) = 1 AND bool_and(alive) AND count(DISTINCT coalesce(expiry, 'never')) = 1 AND NOT bool_or(kept_back)
        AND token NOT IN (SELECT token FROM account_keys WHERE born)
    ), opening AS MATERIALIZED (
      -- Who opens every store API by the new rule: an account key that stands, or will by the rules.
      SELECT DISTINCT ON (token) token, id, account, born FROM account_keys WHERE alive ORDER BY token, born
    )`;

/** What each rule says of a token at an API of its own, once. Of several living rows the earliest answers, then the lowest id. */
function atTheirApis(ground: Ground): string {
  const switched = ground.accountKeys ? isSwitched('p.account', COHORTS) : 'false';
  return `
    old_rule AS MATERIALIZED (
      SELECT DISTINCT ON (token, api) token, api, id, account FROM per_api WHERE alive ORDER BY token, api, created_at, id
    ), own_answers AS MATERIALIZED (
      SELECT token, api, bool_or(NOT (in_store AND has_account_key)) AS for_good,
        bool_or(NOT (in_store AND has_account_key AND ${switched})) AS today
      FROM per_api p WHERE alive GROUP BY token, api
    ), dead_here AS MATERIALIZED (
      SELECT DISTINCT token, api FROM per_api WHERE NOT alive
    ), dead_everywhere AS MATERIALIZED (
      SELECT token FROM (SELECT token, alive FROM per_api WHERE eligible UNION ALL SELECT token, alive FROM account_keys) every GROUP BY token HAVING NOT bool_or(alive)
    ), dead_source AS MATERIALIZED (
      SELECT token FROM per_api GROUP BY token HAVING NOT bool_or(alive)
    ), of_accounts AS MATERIALIZED (
      SELECT DISTINCT token, account FROM per_api
    ), shown AS MATERIALIZED (
      SELECT DISTINCT ON (token) token, id FROM (
        SELECT token, id, created_at, 1 AS place FROM per_api UNION ALL SELECT token, id, NULL, 2 FROM account_keys) every
      ORDER BY token, place, created_at, id
    )`;
}

/** Each request at each API of its slug: before, after and, of the function that gateways call, now. */
function doors(ground: Ground): string {
  const { legacy: l } = ground.schema;
  const after = ground.accountKeys
    ? 'coalesce(own.for_good, false) OR (coalesce(a.in_store, false) AND acc.token IS NOT NULL)'
    : 'old.token IS NOT NULL OR (coalesce(a.in_store, false) AND (acc.token IS NOT NULL OR w.token IS NOT NULL))';
  return `
    apis AS MATERIALIZED (
      SELECT ${l.apiId()} AS id, ${l.slug()}::text AS slug, ${l.inStore()} AS in_store FROM ${l.apis} a WHERE ${l.slug()}::text IN (SELECT api FROM given)
    ), pairs AS MATERIALIZED (
      SELECT DISTINCT r.sent AS token, a.id AS api FROM requests r JOIN apis a ON a.slug = r.api WHERE r.sent IS NOT NULL
    ), answers AS MATERIALIZED (
      ${
        ground.authorize
          ? 'SELECT p.token, p.api, f.key_id, f.account_id AS account FROM pairs p CROSS JOIN LATERAL keylift.authorize(p.token, p.api) f'
          : `SELECT token, api, NULL::${ground.schema.types.id} AS key_id, NULL::${ground.schema.types.account} AS account FROM pairs WHERE false`
      }
    ), doors AS MATERIALIZED (
      SELECT r.line, r.times, r.allowed AS recorded, r.sent, r.api AS slug, a.id AS api, coalesce(a.in_store, false) AS in_store,
        coalesce(r.key_id, old.id, acc.id, s.id) AS key_id, r.key_known OR s.token IS NOT NULL AS key_known,
        old.token IS NOT NULL AS before, ${after} AS after, old.account AS old_account, acc.account AS new_account,
        w.token IS NOT NULL OR coalesce(acc.born, false) AS predicted,
        dh.token IS NOT NULL AS dead_here, de.token IS NOT NULL AS dead_everywhere,
        ds.token IS NOT NULL OR NOT (r.key_known OR s.token IS NOT NULL) AS nothing_lives,
        acc.token IS NOT NULL AND coalesce(a.in_store, false) AND NOT acc.born AND s.token IS NOT NULL
          AND (r.sent, acc.account) NOT IN (SELECT token, account FROM of_accounts WHERE account IS NOT NULL) AS foreign_key,
        f.token IS NOT NULL AS now, f.account AS now_account,
        coalesce(own.today, false) OR (coalesce(a.in_store, false) AND coalesce(today.switched, false)) AS expected_now
      FROM requests r
        LEFT JOIN apis a ON a.slug = r.api
        LEFT JOIN old_rule old ON old.token = r.sent AND old.api = a.id
        LEFT JOIN own_answers own ON own.token = r.sent AND own.api = a.id
        LEFT JOIN dead_here dh ON dh.token = r.sent AND dh.api = a.id
        LEFT JOIN dead_everywhere de ON de.token = r.sent
        LEFT JOIN dead_source ds ON ds.token = r.sent
        LEFT JOIN widened w ON w.token = r.sent
        LEFT JOIN opening acc ON acc.token = r.sent
        LEFT JOIN (SELECT DISTINCT token, true AS switched FROM account_keys WHERE alive AND switched) today ON today.token = r.sent
        LEFT JOIN shown s ON s.token = r.sent
        LEFT JOIN (SELECT DISTINCT ON (token, api) token, api, account FROM answers ORDER BY token, api) f ON f.token = r.sent AND f.api = a.id
    )`;
}

/** The kind of each, by what is wrong whatever was recorded first; 'same' is no difference. */
function judged(ground: Ground): string {
  const answer = ground.authorize
    ? `
          WHEN now AND NOT expected_now THEN CASE WHEN NOT in_store THEN 'gained_custom' WHEN nothing_lives THEN 'revived' ELSE 'gained_store' END
          WHEN expected_now AND NOT now THEN 'lost'
          WHEN now AND now_account IS DISTINCT FROM CASE WHEN before THEN old_account ELSE new_account END THEN 'gained_foreign'`
    : '';
  return `
    judged AS MATERIALIZED (
      SELECT *, CASE ${answer}
          WHEN before AND NOT after THEN 'lost'
          WHEN after AND NOT before AND foreign_key THEN 'gained_foreign'
          WHEN after AND NOT before AND NOT predicted THEN CASE WHEN nothing_lives THEN 'revived' ELSE 'gained_store' END
          WHEN api IS NULL THEN CASE WHEN recorded THEN 'unknown_api' ELSE 'same' END
          WHEN NOT key_known THEN CASE WHEN recorded THEN 'unknown_key' ELSE 'same' END
          WHEN after AND NOT before THEN CASE WHEN recorded THEN 'widened_before' ELSE 'widened' END
          WHEN recorded = before THEN 'same'
          WHEN before THEN 'refused_otherwise'
          WHEN dead_here OR (in_store AND dead_everywhere) THEN 'closed_since'
          ELSE 'no_rule' END AS kind
      FROM doors
    )`;
}

const listOf = (explained: boolean): string =>
  `'{${KIND_NAMES.filter((name) => KINDS[name].explained === explained).join(',')}}'::text[]`;

/** Kinds that do not depend on what was recorded: wrong at whichever API they are found. */
const WHATEVER = `'{lost,gained_custom,gained_foreign,revived,gained_store}'::text[]`;

/**
 * Judges a sheet of decisions in one statement, so in one snapshot. A slug that several APIs have is judged at each of
 * them, and what agrees best counts: the recording does not say which one was meant.
 */
export function judgeSheet(ground: Ground): string {
  const severity = `CASE WHEN kind = ANY (${WHATEVER}) THEN 0 WHEN kind = 'same' THEN 1 WHEN kind = ANY (${listOf(true)}) THEN 2 ELSE 3 END`;
  return `
  /* judging recorded decisions */
  WITH ${[given(ground), keysNamed(ground), perApiKeys(ground), accountKeys(ground), WIDENED, atTheirApis(ground), doors(ground), judged(ground)].join(',')},
  verdicts AS MATERIALIZED (
    SELECT DISTINCT ON (line) *, count(*) OVER (PARTITION BY line) > 1 AS ambiguous FROM judged ORDER BY line, ${severity}, api
  ), numbered AS (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY line) AS place FROM verdicts WHERE kind <> 'same'
  )
  SELECT coalesce(sum(times) FILTER (WHERE kind = 'same'), 0) AS same,
    coalesce(sum(times) FILTER (WHERE NOT key_known), 0) AS unknown_keys, coalesce(sum(times) FILTER (WHERE api IS NULL), 0) AS unknown_apis,
    coalesce(sum(times) FILTER (WHERE ambiguous), 0) AS ambiguous_apis,
    (SELECT count(*) FROM pairs) AS pairs,
    (SELECT coalesce(jsonb_object_agg(kind, decisions), '{}') FROM (SELECT kind, sum(times) AS decisions FROM numbered GROUP BY kind) c) AS kinds,
    (SELECT coalesce(jsonb_agg(jsonb_build_object('kind', kind, 'line', line, 'times', times, 'key_id', key_id::text,
        'fingerprint', ${fingerprint('sent', ground)}, 'api', slug, 'recorded', recorded, 'before', before, 'after', after,
        'now', ${ground.authorize ? 'now' : 'NULL'}) ORDER BY line), '[]')
      FROM numbered WHERE place <= ${String(MOST_LISTED)}) AS differences
  FROM verdicts`;
}
