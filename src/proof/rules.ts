import { commaList, sql } from '../database/sql.js';
import type { LegacyFragments } from '../mapping/fragments.js';
import type { Finality } from './finality.js';

/*
 * The proof's own reading of the rules of the move, for `verify` and for the replay. It shares no statement with
 * mapping/rules, which moves the keys: rows are compared by GROUP BY where the mover uses windows, and a row alone is
 * decided by predicates where the mover uses CASE.
 */

export interface FactsOptions {
  finality: Finality;
  /** False where there is no ledger that could hold a key. */
  holds?: boolean;
  /** `outlivesItsApi`, for a statement that compares rows of one token. */
  outlives?: string;
}

/** What the rules look at in a row of `legacy.from`, as columns of a SELECT. */
export const ruleFacts = (l: LegacyFragments, { finality, holds = true, outlives = 'false' }: FactsOptions): string =>
  commaList([
    `${l.id()} AS id`,
    `${l.account()} AS account_id`,
    `${l.api()} AS api_id`,
    `${l.token()} AS token`,
    `${l.createdAt()} AS created_at`,
    `${l.expiresAt()} AS expires_at`,
    `${l.alive()} AS alive`,
    `${l.apiId()} IS NOT NULL AS api_known`,
    `${l.inStore()} AS in_store`,
    `${l.outOfStore} AS out_of_store`,
    `${l.accountId()} IS NOT NULL AS account_known`,
    `${l.hasToken()} AS has_token`,
    `${outlives} AS outlives_its_api`,
    `${isHeld(l, { finality, holds })} AS held`,
    `${finality.leftBehind} AS left_behind`,
  ]);

/** After finalize no list holds a key any more: what moved stays an account key, also that of an account held then. */
function isHeld(l: LegacyFragments, { finality, holds }: { finality: Finality; holds: boolean }): string {
  if (!holds || finality.leftBehind !== 'false') return 'false';
  return sql`
    coalesce(
      ${l.id()} IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
        OR ${l.account()} IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL),
      false)`;
}

/** Over `k` and `a`: the API of a moved key is missing, and its account key knows which one it was. */
export const outlivesItsApi = (l: LegacyFragments): string => sql`
  (${l.apiId()} IS NULL AND EXISTS (
    SELECT FROM ${l.target} b
    WHERE b.id = ${l.id()} AND b.origin_api_id = ${l.api()}))`;

/** Over an account key: its API is gone, and so may be its per-API row. */
export const isOfMissingApi = (l: LegacyFragments, originApi: string): string => sql`
  NOT EXISTS (SELECT FROM ${l.apis} a WHERE ${l.apiId()} = ${originApi})`;

/** Over the facts of a row: rules 1 and 8 let it move, if its token and no hold prevent that. */
export const mayMove = (row: string): string =>
  [
    `(${row}.api_known AND ${row}.in_store OR ${row}.outlives_its_api)`,
    `${row}.account_known`,
    `${row}.has_token`,
    `${row}.created_at IS NOT NULL`,
    `NOT ${row}.left_behind`,
  ].join('\nAND ');

/** Over the facts of a row: rule 1 lets it stay. */
export const mustStay = (row: string): string => `${row}.api_known AND ${row}.out_of_store`;

/** After finalize the rows that moved are compared among themselves, and no life of theirs takes an account key away. */
const SEVERAL_LIVES = sql`
  bool_or(alive)
    AND (NOT bool_and(alive) OR count(DISTINCT coalesce(expires_at::text, 'never')) > 1)`;

/**
 * Rules 7 and 9 as common table expressions over `source`, which has the facts of rows, and of each of their tokens all
 * rows. `expected` has a row for each: may_move, and with that the outcome and reason that the key must have.
 *
 * @param nativeKeyHas condition that a native key has this token
 */
export const expectedOutcomes = ({
  finality,
  nativeKeyHas,
}: {
  finality: Finality;
  nativeKeyHas: (token: string, account: string) => string;
}): string => sql`
  candidates AS (
    SELECT *,
      ${mayMove('source')} AS may_move,
      (token, account_id) IN (
        SELECT h.token, h.account_id FROM source h WHERE h.held AND NOT h.left_behind
      ) AS held_with_its_token
    FROM source
  ), token_groups AS (
    SELECT token,
      count(DISTINCT account_id) > 1 AS of_several_accounts,
      ${finality.leftBehind === 'false' ? SEVERAL_LIVES : 'false'} AS of_several_lives,
      (array_agg(id ORDER BY created_at, id))[1] AS keeper_id
    FROM candidates
    WHERE may_move
    GROUP BY token
  ), compared AS (
    SELECT c.*, g.keeper_id, g.of_several_lives,
      g.of_several_accounts
        OR ${nativeKeyHas('c.token', 'c.account_id')} AS shares_token
    FROM candidates c LEFT JOIN token_groups g ON g.token = c.token
  ), expected AS (
    SELECT *,
      CASE
        WHEN NOT may_move THEN NULL
        WHEN held_with_its_token THEN 'hold'
        WHEN shares_token OR of_several_lives THEN 'exception'
        WHEN id = keeper_id THEN 'move'
        ELSE 'merge'
      END AS outcome,
      CASE
        WHEN NOT may_move OR held_with_its_token THEN NULL
        WHEN shares_token THEN 'shared_token'
        WHEN of_several_lives THEN 'conflicting_status'
      END AS reason
    FROM compared
  )`;
