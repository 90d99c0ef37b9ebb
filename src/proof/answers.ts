import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { isSwitched } from '../resolver/cohort.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { Difference } from './document.js';
import type { Finality } from './finality.js';

/** How many (token, API) pairs the real function is asked at most. */
export const MAX_PAIRS = 10_000;

/**
 * Asks the real `keylift.authorize` about every token and every API, or about a sample of that many pairs, and compares
 * with the rules at this moment, cohorts included. The chunks prove the rows; this proves that what gateways call answers
 * by them.
 */
export const askResolver = (l: LegacyFragments, finality: Finality): string => sql`
  /* asking keylift.authorize */
  WITH sampled AS (
    ${sampledTokens(l)}
  ), tokens AS MATERIALIZED (
    SELECT token, (array_agg(key_id))[1] AS key_id
    FROM sampled
    GROUP BY token
    LIMIT $1
  ), pairs AS MATERIALIZED (
    SELECT p.token, p.key_id, ${l.apiId()} AS api_id, ${l.inStore()} AS in_store
    FROM tokens p
      CROSS JOIN ${l.apis} a
  ), rules AS (
    ${answersByRule(l)}
  ), asked AS (
    SELECT r.*, f.answers > 0 AS answers, f.account_id AS answer_account, f.answers > 1 AS twice
    FROM rules r
      CROSS JOIN LATERAL (
        SELECT count(*) AS answers, (array_agg(account_id))[1] AS account_id
        FROM keylift.authorize(r.token, r.api_id)
      ) f
  ), compared AS (
    SELECT *,
      ${faultOfAnswer(finality)} AS fault
    FROM asked
  )
  SELECT
    count(*) AS asked,
    count(*) FILTER (WHERE fault = 'lost') AS lost,
    count(*) FILTER (WHERE fault = 'revived') AS revived,
    count(*) FILTER (WHERE fault = 'gained_custom') AS gained_custom,
    count(*) FILTER (WHERE fault = 'gained_foreign') AS gained_foreign,
    (
      SELECT coalesce(jsonb_agg(difference), '[]')
      FROM (
        SELECT jsonb_build_object(
          'key_id', key_id::text, 'kind', fault, 'api_id', api_id::text,
          'authorization', jsonb_build_array(fault)) AS difference
        FROM compared
        WHERE fault IS NOT NULL
        LIMIT 100
      ) first
    ) AS differences
  FROM compared`;

/** Tokens of each kind: of per-API keys, of keys with an outcome, of native keys, of account keys. */
const sampledTokens = (l: LegacyFragments): string => sql`
  (
    SELECT ${l.token()} AS token, ${l.id()} AS key_id
    FROM ${l.keys} k
    WHERE ${l.isPerApiKey()} AND ${l.hasToken()}
    LIMIT $1
  )
  UNION ALL (
    SELECT ${l.token()}, ${l.id()}
    FROM keylift.outcomes x
      JOIN ${l.keys} k ON ${l.id()} = x.key_id
    WHERE ${l.hasToken()}
    LIMIT $1
  )
  UNION ALL (SELECT t.token, t.id FROM ${l.target} t WHERE t.origin_api_id IS NULL LIMIT $1)
  UNION ALL (SELECT t.token, t.id FROM ${l.target} t LIMIT $1)`;

/** What the old rule and the new one say of each pair. */
const answersByRule = (l: LegacyFragments): string => sql`
  SELECT p.*, old.key_id IS NOT NULL AS opened, old.account_id AS old_account,
    new.key_id IS NOT NULL AS account_key_opens, new.account_id AS new_account
  FROM pairs p
    LEFT JOIN LATERAL (
      SELECT ${l.id()} AS key_id, ${l.account()} AS account_id
      FROM
        ${l.from}
      WHERE ${l.token()} = p.token AND ${l.api()} = p.api_id
        AND ${l.alive()}
        AND ${l.isPerApiKey()}
      ORDER BY ${l.createdAt()}, ${l.id()}
      LIMIT 1
    ) old ON true
    LEFT JOIN LATERAL (
      SELECT t.id AS key_id, t.account_id
      FROM ${l.target} t
      WHERE t.token = p.token
        AND ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}
        AND p.in_store
        AND (
          t.origin_api_id IS NULL
          OR ${isSwitched('t.account_id', '(SELECT cohorts FROM keylift.switch_rule)')}
        )
    ) new ON true`;

/** After a purge it can no longer be read which of two rows was earlier. */
const faultOfAnswer = ({ purged }: Finality): string => sql`
  CASE
    WHEN answers AND NOT opened AND NOT account_key_opens
      THEN CASE WHEN in_store THEN 'revived' ELSE 'gained_custom' END
    WHEN NOT answers AND (opened OR account_key_opens) THEN 'lost'
    WHEN answers AND answer_account IS DISTINCT FROM CASE WHEN opened THEN old_account ELSE new_account END
      ${purged ? 'AND NOT (account_key_opens AND answer_account = new_account)' : ''}
      THEN 'gained_foreign'
    WHEN twice THEN 'gained_foreign'
  END`;

export const countApis = (l: LegacyFragments): string => `SELECT count(*) AS apis FROM ${l.apis} a`;

export interface Answers {
  asked: number;
  lost: number;
  revived: number;
  gained_custom: number;
  gained_foreign: number;
  differences: Difference[];
}

/** Runs the question with as many tokens as fit the bound on pairs. */
export async function checkAnswers(
  session: ReadSession,
  { legacy: l }: MappedSchema,
  finality: Finality,
): Promise<Answers> {
  const { apis } = await session.one<{ apis: string }>(countApis(l));
  const tokens = Math.max(1, Math.floor(MAX_PAIRS / Math.max(1, Number(apis))));
  const row = await session.one<Record<string, string> & { differences: Difference[] }>(askResolver(l, finality), [
    tokens,
  ]);
  return {
    asked: Number(row.asked),
    lost: Number(row.lost),
    revived: Number(row.revived),
    gained_custom: Number(row.gained_custom),
    gained_foreign: Number(row.gained_foreign),
    differences: row.differences,
  };
}
