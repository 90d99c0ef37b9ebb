import { commaList, sql } from '../../database/sql.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import { aliveExpression } from '../../mapping/fragments.js';
import { isSwitched } from '../../resolver/cohort.js';
import { outlivesItsApi, ruleFacts } from '../rules.js';
import { DECISIONS } from './decisions-table.js';
import type { Sources } from './sources.js';

/*
 * What the decisions are about, as common table expressions: the requests, and every row of either table that has one of
 * their tokens. No token is returned.
 */

export const COHORTS = '(SELECT r.cohorts FROM keylift.switch_rule r)';

/** First 12 hex digits of SHA-256 of the stored token. */
export const fingerprint = (token: string, { schema: { types } }: Sources): string => fingerprintOf(token, types);

/** What was recorded, each different request once, with the token that was sent. */
export const requests = (sources: Sources): string => sql`
  given AS MATERIALIZED (
    SELECT ${givenValues(sources)}, g.api, g.allowed, min(g.line) AS line, count(*) AS times
    FROM ${DECISIONS} g
    GROUP BY 1, 2, 3, 4
  ), keys_named AS MATERIALIZED (
    SELECT DISTINCT ON (n.key_id) n.key_id, f.token
    FROM (
      SELECT DISTINCT key_id FROM given WHERE key_id IS NOT NULL
    ) n
    CROSS JOIN LATERAL (
      ${tokensOfKey(sources)}
    ) f
    ORDER BY n.key_id, f.rank
  ), requests AS MATERIALIZED (
    SELECT g.*, coalesce(g.token, n.token) AS sent, n.key_id IS NOT NULL AS key_known
    FROM given g LEFT JOIN keys_named n ON n.key_id = g.key_id
  ), tokens AS MATERIALIZED (
    SELECT DISTINCT sent AS token FROM requests WHERE sent IS NOT NULL
  )`;

const givenValues = ({ schema: { types } }: Sources): string =>
  `g.token::${types.token} AS token, g.key_id::${types.id} AS key_id`;

/** The token behind `n.key_id`, in whichever table it is; a merged key whose row was purged has its account key's. */
function tokensOfKey({ schema: { legacy: l }, target, ledger }: Sources): string {
  return [
    sql`SELECT ${l.token()} AS token, 1 AS rank FROM ${l.keys} k WHERE ${l.id()} = n.key_id AND ${l.isPerApiKey()}`,
    ...(target ? [`SELECT t.token, 2 FROM ${l.target} t WHERE t.id = n.key_id`] : []),
    ...(target && ledger
      ? [
          sql`
            SELECT t.token, 3
            FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id
            WHERE x.key_id = n.key_id AND x.outcome = 'merge'`,
        ]
      : []),
  ].join('\nUNION ALL\n');
}

/** The per-API keys that have one of the tokens, with the facts that the rules look at. */
export function perApiKeys(sources: Sources): string {
  const { legacy: l } = sources.schema;
  const { finality, ledger: holds, accountKeys } = sources;
  const outlives = accountKeys ? outlivesItsApi(l) : 'false';
  return sql`
    source AS MATERIALIZED (
      SELECT
        ${ruleFacts(l, { finality, holds, outlives })},
        ${hasAccountKey(sources)} AS has_account_key
      FROM
        ${l.from}
      WHERE ${l.isPerApiKey()} AND ${l.token()} ${amongTokens(sources.indexed.perApi)}
      ${finality.purged ? purgedRows(sources) : ''}
    )`;
}

function hasAccountKey({ schema: { legacy: l }, accountKeys }: Sources): string {
  if (!accountKeys) return 'false';
  return sql`
    (EXISTS (SELECT FROM ${l.target} m WHERE m.id = ${l.id()} AND m.origin_api_id IS NOT NULL)
      OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = ${l.id()} AND m.outcome = 'merge'))`;
}

/** The archive's rows are gone after the purge; the account key of a moved key has the facts. */
const purgedRows = ({ schema: { legacy: l }, indexed }: Sources): string => sql`
  UNION ALL
  SELECT
    ${commaList([
      't.id',
      't.account_id',
      't.origin_api_id',
      't.token',
      't.created_at',
      't.expires_at',
      aliveExpression('t.revoked_at', 't.expires_at', l.now),
      'true AS api_known',
      'true AS in_store',
      'false AS out_of_store',
      'true AS account_known',
      'true AS has_token',
      'false AS outlives_its_api',
      'false AS held',
      'false AS left_behind',
      'true AS has_account_key',
    ])}
  FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND t.token ${amongTokens(indexed.account)}
    AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id)`;

/** An index on the token finds an array of tokens; without an index the tokens are hashed for one scan. */
const amongTokens = (indexed: boolean): string =>
  indexed ? '= ANY (ARRAY(SELECT token FROM tokens))' : 'IN (SELECT token FROM tokens)';

/** The account keys that have one of the tokens: all of them, or native keys alone. */
export function accountKeys({ schema: { legacy: l, types }, target, accountKeys: all, indexed }: Sources): string {
  if (!target) {
    return sql`
      account_keys AS MATERIALIZED (
        SELECT NULL::${types.id} AS id, NULL::${types.token} AS token, NULL::${types.account} AS account_id,
          false AS is_native, false AS alive, false AS switched
        WHERE false
      )`;
  }
  return sql`
    account_keys AS MATERIALIZED (
      SELECT t.id, t.token, t.account_id, t.origin_api_id IS NULL AS is_native,
        ${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive,
        t.origin_api_id IS NULL OR ${isSwitched('t.account_id', COHORTS)} AS switched
      FROM ${l.target} t
      WHERE t.token ${amongTokens(indexed.account)}
        ${all ? '' : 'AND t.origin_api_id IS NULL'}
    )`;
}
