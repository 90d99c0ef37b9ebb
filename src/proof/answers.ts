import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { isSwitched } from '../resolver/cohort.js';
import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { joinStore, opensFor, opensForAny } from '../mapping/store.js';
import type { Difference } from './document.js';
import type { Finality } from './finality.js';

/** How many (token, API) pairs the real function is asked at most. */
export const MAX_PAIRS = 10_000;
/** Where accounts have store APIs of their own: APIs of a token's account, and of others, that it is asked about. */
const APIS_OF_EACH_KIND = 25;

/**
 * Asks the real `keylift.authorize` about every token and every API, or about a sample of that many pairs, and compares
 * with the rules at this moment, cohorts included. The chunks prove the rows; this proves that what gateways call
 * answers by them.
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
  ), ${l.apiNeedsAccount ? pairsOfAccounts(l) : pairsOfStore(l)}, rules AS (
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
      ${faultOfAnswer(l, finality)} AS fault
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

const pairsOfStore = (l: LegacyFragments): string => sql`
  pairs AS MATERIALIZED (
    SELECT p.token, p.key_id, ${l.apiId()} AS api_id, ${l.inStore()} AS in_store
    FROM tokens p
      CROSS JOIN ${l.apis} a
  )`;

/**
 * Where accounts have store APIs of their own, there are too many APIs to ask each token about all of them: each is
 * asked about the APIs of its keys, some APIs of its accounts, and some APIs of others.
 */
const pairsOfAccounts = (l: LegacyFragments): string => sql`
  accounts_of AS MATERIALIZED (
    SELECT p.token, p.key_id, ${l.account()} AS account_id, ${l.api()} AS api_id
    FROM tokens p
      JOIN ${l.keys} k ON ${l.token()} = p.token
    UNION ALL
    SELECT p.token, p.key_id, t.account_id, t.origin_api_id
    FROM tokens p
      JOIN ${l.target} t ON t.token = p.token
  ), own AS MATERIALIZED (
    SELECT *
    FROM (
      SELECT p.token, p.key_id, ${l.apiId()} AS api_id, row_number() OVER (PARTITION BY p.token) AS position
      FROM (SELECT DISTINCT token, key_id, account_id FROM accounts_of) p
        JOIN ${l.accounts} o ON ${l.accountId()} = p.account_id
        JOIN ${l.apis} a ON ${l.opens()}
    ) ranked
    WHERE position <= ${APIS_OF_EACH_KIND}
  ), others AS MATERIALIZED (
    (SELECT DISTINCT api_id FROM own LIMIT ${APIS_OF_EACH_KIND})
    UNION
    (SELECT ${l.apiId()} FROM ${l.apis} a LIMIT ${APIS_OF_EACH_KIND})
  ), pairs AS MATERIALIZED (
    SELECT token, key_id, api_id FROM own
    UNION
    SELECT token, key_id, ${l.apiId()} FROM accounts_of p JOIN ${l.apis} a ON ${l.apiId()} = p.api_id
    UNION
    SELECT token, key_id, api_id FROM tokens CROSS JOIN others
  )`;

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
      FROM
        ${l.target} t
        ${joinStore(l, { api: 'p.api_id', account: 't.account_id' })}
      WHERE t.token = p.token
        AND ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}
        AND ${l.apiNeedsAccount ? l.inStore() : 'p.in_store'}
        AND (
          t.origin_api_id IS NULL
          OR ${isSwitched('t.account_id', '(SELECT cohorts FROM keylift.switch_rule)')}
        )
    ) new ON true`;

/** After a purge it can no longer be read which of two rows was earlier. */
const faultOfAnswer = (l: LegacyFragments, { purged }: Finality): string => sql`
  CASE
    WHEN answers AND NOT opened AND NOT account_key_opens
      THEN ${l.apiNeedsAccount ? openedWrongly(l) : `CASE WHEN in_store THEN 'revived' ELSE 'gained_custom' END`}
    WHEN NOT answers AND (opened OR account_key_opens) THEN 'lost'
    WHEN answers AND answer_account IS DISTINCT FROM CASE WHEN opened THEN old_account ELSE new_account END
      ${purged ? 'AND NOT (account_key_opens AND answer_account = new_account)' : ''}
      THEN 'gained_foreign'
    WHEN twice THEN 'gained_foreign'
  END`;

/** An API of another account is foreign; one that no account's keys open is custom. */
const openedWrongly = (l: LegacyFragments): string => sql`
  CASE
    WHEN ${opensFor(l, { api: 'asked.api_id', account: 'asked.answer_account' })} THEN 'revived'
    WHEN EXISTS (SELECT FROM ${l.apis} a WHERE ${l.apiId()} = asked.api_id AND ${opensForAny(l)}) THEN 'gained_foreign'
    ELSE 'gained_custom'
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
  const asked = l.apiNeedsAccount ? Math.min(Number(apis), 3 * APIS_OF_EACH_KIND) : Number(apis);
  const tokens = Math.max(1, Math.floor(MAX_PAIRS / Math.max(1, asked)));
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
