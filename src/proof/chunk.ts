import { sql } from '../database/sql.js';
import { rowsInRange } from '../mapping/chunks.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import { PROOF_DUPLICATES } from '../ledger/proof-duplicates.js';
import { apisByAccount, joinStore } from '../mapping/store.js';
import { chunkCounters } from './chunk-counters.js';
import { comparedFields, sourceFacts, targetFacts, USED_LATER } from './facts.js';
import type { Finality } from './finality.js';
import { isOfMissingApi, mayMove, mustStay } from './rules.js';

/** Where a chunk's rows come from: a range of ids, or the ids of rows to look at one by one. */
export type ChunkRows = 'range' | 'ids';

const rowsOf = (id: string, rows: ChunkRows, type: string): string =>
  rows === 'ids' ? `${id} = ANY ($1::text[]::${type}[])` : rowsInRange(id, type);

export interface ChunkOptions {
  rows: ChunkRows;
  idType: string;
  finality: Finality;
}

/**
 * One chunk of the proof, in one snapshot: each source row with its account key, what the rules expect of it, and both
 * rules of who may enter, over every store API. Pairs are counted by arithmetic: a token opens its distinct old APIs
 * before, and each store API after. Answers one row of counters with the first differences as JSON.
 */
export const proveChunk = (l: LegacyFragments, options: ChunkOptions): string => sql`
  /* proving a chunk of rows */
  WITH ${l.apiNeedsAccount ? '' : `${oneStore(l)}, `}source AS (
    SELECT
      ${sourceFacts(l, options.finality)}
    FROM
      ${l.from}
    WHERE ${rowsOf(l.id(), options.rows, options.idType)}
      AND ${l.isPerApiKey()}
  ), target AS (
    SELECT
      ${targetFacts(l)}
    FROM ${l.target} t
    WHERE ${rowsOf('t.id', options.rows, options.idType)}
      AND t.origin_api_id IS NOT NULL
      ${options.finality.purged ? 'AND false' : ''}
  )${l.apiNeedsAccount ? `, ${storeOfAccounts(l)}` : ''}, side_by_side AS (
    ${sideBySide(l)}
  ), expected AS (
    SELECT *,
      ${SHOULD_MOVE} AS should_move
    FROM side_by_side
  ), compared AS (
    SELECT *,
      ${FAULT} AS fault,
      target_id IS NOT NULL AND is_alive AS opens_store
    FROM expected
  ), authorized AS (
    ${authorized(l)}
  )
  ${chunkCounters}`;

const oneStore = (l: LegacyFragments): string => sql`
  store AS (
    SELECT count(*) AS apis FROM ${l.apis} a WHERE ${l.inStore()}
  )`;

/** The number of APIs that each account of the chunk opens. */
const storeOfAccounts = (l: LegacyFragments): string => sql`
  store AS MATERIALIZED (
    ${apisByAccount(l, `${l.accountId()} IN (SELECT account_id FROM source UNION ALL SELECT account_id FROM target)`)}
  )`;

/** The number of APIs that the account of the source row, or of the account key, opens. */
const sizeOfStore = (l: LegacyFragments, account: 'source' | 'target'): string =>
  l.apiNeedsAccount ? `coalesce(${account}_store.apis, 0)` : '(SELECT apis FROM store)';

const joinStores = (l: LegacyFragments): string =>
  l.apiNeedsAccount
    ? sql`
        LEFT JOIN store source_store ON source_store.account_id = source_account
        LEFT JOIN store target_store ON target_store.account_id = target_account`
    : '';

/** Over an account key: the store APIs that per-API keys with its token open. */
const openedWithToken = (l: LegacyFragments): string => sql`
  SELECT count(DISTINCT ${l.api()})
  FROM
    ${
      l.apiNeedsAccount
        ? sql`
            ${l.keys} k
            ${joinStore(l, { api: l.api(), account: 'target_account' })}`
        : l.from
    }
  WHERE ${l.token()} = target_token
    AND ${l.alive()}
    AND ${l.inStore()}`;

/** A source row, its account key, its outcome in the ledger, and its row in the list of duplicates. */
const sideBySide = (l: LegacyFragments): string => sql`
  SELECT coalesce(s.id, t.id) AS id, s.id AS source_id, t.id AS target_id, s.alive AS was_alive, t.alive AS is_alive,
    s.token AS source_token, t.token AS target_token, s.account_id AS source_account, t.account_id AS target_account,
    s.in_store, s.api_known, x.outcome, x.reason, x.account_key_id,
    d.keeper_id, d.expected AS expected_outcome, d.reason AS expected_reason,
    ${mayMove('s')} AS eligible,
    ${mustStay('s')} AS must_stay,
    s.held, coalesce(s.left_behind, false) AS left_behind,
    t.id IS NOT NULL AND NOT s.api_known AND t.origin_api_id = s.api_id AS outlived_its_api,
    s.id IS NULL AND ${isOfMissingApi(l, 't.origin_api_id')} AS outlived_its_row,
    CASE WHEN d.key_id IS NOT NULL THEN d.opened WHEN s.alive AND s.in_store THEN 1 ELSE 0 END AS opened,
    CASE WHEN s.id IS NOT NULL AND t.id IS NOT NULL THEN array_remove(
      ARRAY[
        ${comparedFields(l)
          .map(({ field, differs }) => `CASE WHEN ${differs} THEN '${field}' END`)
          .join(',\n')}
      ], NULL)
    END AS different_fields,
    s.last_used_at IS NOT NULL AND CASE
      WHEN x.outcome = 'merge' THEN EXISTS (
        SELECT FROM ${l.target} m
        WHERE m.id = x.account_key_id AND (m.last_used_at IS NULL OR m.last_used_at < s.last_used_at))
      ELSE t.id IS NOT NULL AND ${USED_LATER.perApiKey}
    END AS behind,
    s.id IS NOT NULL AND ${USED_LATER.accountKey} AS ahead
  FROM source s FULL JOIN target t ON t.id = s.id
    LEFT JOIN keylift.outcomes x ON x.key_id = s.id
    LEFT JOIN ${PROOF_DUPLICATES} d ON d.key_id = s.id`;

/** The new table refused it, by a trigger or a constraint of the platform (rule 12). */
const NOT_CARRIED = `(target_id IS NULL AND outcome = 'exception' AND reason = 'not_carried')`;

const SHOULD_MOVE = sql`
  coalesce(
    CASE
      WHEN left_behind THEN false
      WHEN ${NOT_CARRIED} THEN false
      WHEN outlived_its_api THEN true
      WHEN expected_outcome IS NOT NULL THEN expected_outcome = 'move'
      ELSE eligible AND NOT held
    END,
    false)`;

/** What is wrong with the row, the account key or the outcome; `outcome` where the ledger has another one than expected. */
const FAULT = sql`
  CASE
    WHEN source_id IS NULL THEN CASE WHEN NOT outlived_its_row THEN 'extra' END
    WHEN target_id IS NOT NULL AND NOT should_move THEN 'extra'
    WHEN NOT left_behind AND ${NOT_CARRIED} THEN NULL
    WHEN target_id IS NULL AND should_move THEN 'missing'
    WHEN target_id IS NOT NULL AND cardinality(different_fields) > 0 THEN 'different'
    -- Excluded once, whatever it became since. A row that opens nothing may be new; a row of the store may not.
    WHEN left_behind THEN
      CASE WHEN NOT (must_stay OR NOT api_known OR coalesce(outcome, '') IN ('hold', 'exception')) THEN 'missing' END
    WHEN should_move OR must_stay THEN CASE WHEN outcome IS NOT NULL THEN 'outcome' END
    WHEN outcome IS NULL THEN 'missing'
    WHEN expected_outcome = 'merge' THEN CASE
      WHEN outcome = 'merge' AND account_key_id = keeper_id THEN NULL
      -- Decided while the lives still differed; both keys are dead by now and open nothing.
      WHEN reason = 'conflicting_status' AND NOT was_alive THEN NULL
      ELSE 'outcome'
    END
    WHEN expected_outcome IN ('hold', 'exception') THEN
      CASE WHEN outcome <> expected_outcome OR reason IS DISTINCT FROM expected_reason THEN 'outcome' END
    WHEN outcome NOT IN ('hold', 'exception') THEN 'outcome'
  END`;

/** Who may enter before and after: what a living key of the store loses, and what an account key opens in addition. */
function authorized(l: LegacyFragments): string {
  const opensWith = (key: string): string => sql`
    EXISTS (
      SELECT FROM ${l.target} t
      WHERE ${key}
        AND ${aliveExpression('t.revoked_at', 't.expires_at', l.now)})`;
  const perApiKeyWith = (condition: string): string => sql`
    EXISTS (
      SELECT FROM ${l.keys} k
      WHERE ${l.token()} = target_token
        AND ${condition})`;
  return sql`
    SELECT *,
      -- A living key of a store API must still open it: through its account key where it has one, else as it is.
      was_alive AND in_store AND (
        (target_id IS NOT NULL AND NOT (is_alive AND target_token = source_token)
          AND NOT ${opensWith('t.token = source_token')})
        OR (target_id IS NULL AND outcome = 'merge'
          AND NOT ${opensWith('t.id = account_key_id AND t.token = source_token')})
      ) AS lost,
      opens_store AND source_id IS NOT NULL AND (
        NOT was_alive
        OR (target_token <> source_token
          AND NOT ${perApiKeyWith(l.alive())}
          AND ${perApiKeyWith('true')})
      ) AS revived,
      opens_store AND NOT outlived_its_row AND CASE
        WHEN target_token = source_token THEN target_account IS DISTINCT FROM source_account
        ELSE ${perApiKeyWith(`${l.account()} IS DISTINCT FROM target_account`)}
      END AS is_foreign,
      CASE WHEN opens_store THEN ${sizeOfStore(l, 'target')} - CASE
        WHEN outlived_its_row THEN 0
        WHEN target_token = source_token THEN opened
        ELSE (
          ${openedWithToken(l)}
        )
      END ELSE 0 END AS gained,
      CASE
        -- Nothing but the account key is left to predict from.
        WHEN outlived_its_row THEN CASE WHEN opens_store THEN ${sizeOfStore(l, 'target')} ELSE 0 END
        WHEN should_move AND was_alive THEN ${sizeOfStore(l, 'source')} - opened
        ELSE 0
      END AS predicted
    FROM compared
      ${joinStores(l)}`;
}
