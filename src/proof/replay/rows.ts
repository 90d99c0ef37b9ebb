import { isSwitched } from '../../resolver/cohort.js';
import { fingerprintOf } from '../../mapping/fingerprint.js';
import { aliveExpression } from '../../mapping/fragments.js';
import type { Ground } from './ground.js';
import { SHEET } from './sheet.js';

/*
 * What a sheet of decisions is about, as common table expressions: its requests, and every row of either table that has
 * one of their tokens. No token goes out.
 */

export const COHORTS = '(SELECT r.cohorts FROM keylift.switch_rule r)';

/** First 12 hex digits of SHA-256 of the stored token. */
export const fingerprint = (token: string, { schema: { types } }: Ground): string => fingerprintOf(token, types);

/** What was recorded, each different request once. */
export function given({ schema: { types } }: Ground): string {
  return `
    given AS MATERIALIZED (
      SELECT g.token::${types.token} AS token, g.key_id::${types.id} AS key_id, g.api, g.allowed, min(g.line) AS line, count(*) AS times
      FROM ${SHEET} g GROUP BY 1, 2, 3, 4
    )`;
}

/** The token behind a key id, wherever the key stands; a merged key whose row was purged has its account key's. */
export function keysNamed(ground: Ground): string {
  const { legacy: l } = ground.schema;
  const places = [
    `SELECT ${l.token()} AS token, 1 AS place FROM ${l.keys} k WHERE ${l.id()} = n.key_id AND ${l.isPerApiKey()}`,
    ...(ground.target ? [`SELECT t.token, 2 FROM ${l.target} t WHERE t.id = n.key_id`] : []),
    ...(ground.target && ground.ledger
      ? [
          `SELECT t.token, 3 FROM keylift.outcomes x JOIN ${l.target} t ON t.id = x.account_key_id WHERE x.key_id = n.key_id AND x.outcome = 'merge'`,
        ]
      : []),
  ];
  return `
    keys_named AS MATERIALIZED (
      SELECT DISTINCT ON (n.key_id) n.key_id, f.token
      FROM (SELECT DISTINCT key_id FROM given WHERE key_id IS NOT NULL) n CROSS JOIN LATERAL (${places.join(' UNION ALL ')}) f
      ORDER BY n.key_id, f.place
    ), requests AS MATERIALIZED (
      SELECT g.*, coalesce(g.token, n.token) AS sent, n.key_id IS NOT NULL AS key_known FROM given g LEFT JOIN keys_named n ON n.key_id = g.key_id
    ), tokens AS MATERIALIZED (
      SELECT DISTINCT sent AS token FROM requests WHERE sent IS NOT NULL
    )`;
}

/** Per-API keys that have one of the tokens, with what the rules ask of each. */
export function perApiKeys(ground: Ground): string {
  const { legacy: l } = ground.schema;
  const held = ground.ledger
    ? `(${l.id()} IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
        OR coalesce(${l.account()} IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL), false))`
    : 'false';
  const own = `EXISTS (SELECT FROM ${l.target} m WHERE m.id = ${l.id()} AND m.origin_api_id IS NOT NULL)`;
  const hasAccountKey = ground.accountKeys
    ? `(${own} OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = ${l.id()} AND m.outcome = 'merge'))`
    : 'false';
  // A moved key outlives the API it was made in.
  const outlives = ground.accountKeys ? `(${l.apiId()} IS NULL AND ${own})` : 'false';
  // The archive's rows went with the purge; of a moved key its account key tells the rest.
  const purged = ground.purged
    ? `UNION ALL
      SELECT t.id, t.token, t.origin_api_id, t.account_id, t.created_at, ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}, t.expires_at::text,
        true, true, false, true
      FROM ${l.target} t WHERE t.origin_api_id IS NOT NULL AND t.token ${amongTokens(ground.indexed.account)}
        AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id)`
    : '';
  return `
    per_api AS MATERIALIZED (
      SELECT ${l.id()} AS id, ${l.token()} AS token, ${l.api()} AS api, ${l.account()} AS account, ${l.createdAt()} AS created_at, ${l.alive()} AS alive,
        ${l.expiresAt()}::text AS expiry, ${l.inStore()} AS in_store,
        ((${l.apiId()} IS NOT NULL AND ${l.inStore()}) OR ${outlives}) AND ${l.accountId()} IS NOT NULL AND ${l.hasToken()} AND ${l.createdAt()} IS NOT NULL AS eligible,
        ${held} AS held, ${hasAccountKey} AS has_account_key
      FROM ${l.from} WHERE ${l.isPerApiKey()} AND ${l.token()} ${amongTokens(ground.indexed.perApi)}
      ${purged}
    )`;
}

/** An index on the token is used for an array of them; without one the tokens are hashed against one scan. */
const amongTokens = (indexed: boolean): string =>
  indexed ? '= ANY (ARRAY(SELECT token FROM tokens))' : 'IN (SELECT token FROM tokens)';

/** Account keys that have one of the tokens: all of them, or those born in Settings alone. */
export function accountKeys(ground: Ground): string {
  const { legacy: l, types } = ground.schema;
  if (!ground.target) {
    return `
    account_keys AS MATERIALIZED (
      SELECT NULL::${types.id} AS id, NULL::${types.token} AS token, NULL::${types.account} AS account, false AS born, false AS alive, false AS switched WHERE false
    )`;
  }
  return `
    account_keys AS MATERIALIZED (
      SELECT t.id, t.token, t.account_id AS account, t.origin_api_id IS NULL AS born, ${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive,
        t.origin_api_id IS NULL OR ${isSwitched('t.account_id', COHORTS)} AS switched
      FROM ${l.target} t WHERE t.token ${amongTokens(ground.indexed.account)} ${ground.accountKeys ? '' : 'AND t.origin_api_id IS NULL'}
    )`;
}
