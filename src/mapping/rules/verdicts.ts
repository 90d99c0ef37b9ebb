import type { LegacyFragments } from '../fragments.js';

/**
 * Rules 1 and 8 for one row of `legacy.from`: `stay`, an exception's reason, or NULL for a key that may move.
 * The order is the contract's (rule 9); a key whose API is missing is `missing_api`, never `stay`.
 */
export const settledByItself = (l: LegacyFragments, accountIsMissing = `${l.accountId()} IS NULL`): string => `CASE
        WHEN ${l.apiId()} IS NULL THEN 'missing_api'
        WHEN NOT ${l.inStore()} THEN 'stay'
        WHEN ${accountIsMissing} THEN 'missing_account'
        WHEN NOT ${l.hasToken()} THEN 'missing_token'
        WHEN ${l.createdAt()} IS NULL THEN 'missing_created_at'
      END`;

/** Where `settledByItself` says `stay`: the key of an API that is there, and not of the store. */
export const staysByItself = (l: LegacyFragments): string => `(${l.apiId()} IS NOT NULL AND NOT ${l.inStore()})`;

/** Where it says nothing, of a key whose account is there. Over millions of rows a condition is cheaper than a word. */
export const mayMoveByItself = (l: LegacyFragments): string =>
  `(${l.inStore()} AND ${l.hasToken()} AND ${l.createdAt()} IS NOT NULL)`;

/** Where it says a reason, of such a key. */
export const exceptionByItself = (l: LegacyFragments): string =>
  `(${l.apiId()} IS NULL OR (${l.inStore()} AND NOT ${mayMoveByItself(l)}))`;

/** Where the holds stand: in the ledger, or (for a plan, which writes nothing) in two array parameters. */
export type HoldsSource = { from: 'ledger' } | { from: 'parameters'; keyIds: string; accountIds: string };

/** Is this row itself named by a hold? The hold's spread over a shared token is `verdicts`' part. */
export function heldByName(l: LegacyFragments, holds: HoldsSource): string {
  if (holds.from === 'parameters') {
    return `(coalesce(${l.id()} = ANY (${holds.keyIds}), false) OR coalesce(${l.account()} = ANY (${holds.accountIds}), false))`;
  }
  return `(EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = ${l.id()})
        OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = ${l.account()}))`;
}

export interface VerdictOptions {
  holds: HoldsSource;
  /** Condition over `k` that picks rows; with a row it must pick every row that shares its token. */
  rows: string;
  /** Further conditions that make a repeated token `shared_token`: a key born in Settings holds it. */
  takenElsewhere?: string;
  /** Condition under which a key whose API went missing goes on as an account key: it moved before. */
  outlivesItsApi?: string;
  /** Columns of the row by itself to be given along: `settled`, `named_by_hold`, `created_at`, `last_used_at AS …`. */
  further?: string[];
}

/** What the rules look at of each row picked, the row by itself. */
function perApiKeys(l: LegacyFragments, options: VerdictOptions): string {
  const settled = settledByItself(l);
  const outlives = options.outlivesItsApi;
  return `SELECT ${l.id()} AS key_id, ${l.account()} AS account_id, ${l.token()} AS token, ${l.createdAt()} AS created_at,
              ${l.lastUsedAt()} AS last_used_at, ${l.alive()} AS alive,
              CASE WHEN ${l.alive()} THEN coalesce((${l.expiresAt()})::text, 'never') ELSE 'dead' END AS life,
              ${heldByName(l, options.holds)} AS named_by_hold,
              ${options.takenElsewhere ?? 'false'} AS taken_elsewhere,
              ${outlives === undefined ? settled : `CASE WHEN ${outlives} THEN NULL ELSE ${settled} END`} AS settled
            FROM ${l.from}
            WHERE ${l.isPerApiKey()} AND ${options.rows}`;
}

/** Rules 1 and 7 to 9 in their order, of a row that knows of those it shares its token with. */
const byTheRules = ({ further = [] }: VerdictOptions): string => `SELECT key_id, account_id, alive, token,
      CASE WHEN settled = 'stay' THEN 'stay'
           WHEN settled IS NOT NULL THEN 'exception'
           WHEN held THEN 'hold'
           WHEN several_accounts OR taken_elsewhere OR several_lives THEN 'exception'
           WHEN key_id = first_key THEN 'move'
           ELSE 'merge' END AS outcome,
      CASE WHEN settled = 'stay' THEN NULL
           WHEN settled IS NOT NULL THEN settled
           WHEN held THEN NULL
           WHEN several_accounts OR taken_elsewhere THEN 'shared_token'
           WHEN several_lives THEN 'conflicting_status' END AS reason,
      CASE WHEN settled IS NULL THEN first_key END AS account_key_id,
      group_last_used_at AS last_used_at${further.map((column) => `, ${column}`).join('')}`;

/**
 * One row `(key_id, outcome, reason, account_key_id, account_id, alive, last_used_at)` for each row picked:
 * rules 1 and 7 to 9 as one SELECT. Earliest is by creation, then by id, in the column's own order.
 */
export function verdicts(l: LegacyFragments, options: VerdictOptions): string {
  return `
    ${byTheRules(options)}
    FROM (
      SELECT *,
        bool_or(account_id IS DISTINCT FROM first_account) OVER same_token AS several_accounts,
        bool_or(life IS DISTINCT FROM first_life) OVER same_token AS several_lives
      FROM (
        SELECT *,
          bool_or(named_by_hold) OVER (PARTITION BY token, account_id) AS held,
          first_value(key_id) OVER earliest AS first_key,
          first_value(account_id) OVER earliest AS first_account,
          first_value(life) OVER earliest AS first_life,
          max(last_used_at) OVER (PARTITION BY token, may_move) AS group_last_used_at
        FROM (
          SELECT *, settled IS NULL AS may_move
          FROM (
            ${perApiKeys(l, options)}
          ) AS per_api_key
        ) AS candidate
        WINDOW earliest AS (PARTITION BY token, may_move ORDER BY created_at, key_id)
      ) AS grouped
      WINDOW same_token AS (PARTITION BY token, may_move)
    ) AS judged`;
}

/** The rules as a condition over one row of `legacy.from` whose token no other row has: does it move? */
export const movesAlone = (
  l: LegacyFragments,
  { holds, takenElsewhere = 'false' }: Pick<VerdictOptions, 'holds' | 'takenElsewhere'>,
): string => `(${settledByItself(l)}) IS NULL AND NOT ${heldByName(l, holds)} AND NOT ${takenElsewhere}`;

/**
 * The same row for a key whose token no other row has: nothing to compare it with, and so none of the windows, which are
 * most of what judging a single key costs.
 */
export function verdictAlone(l: LegacyFragments, options: VerdictOptions): string {
  return `
    ${byTheRules(options)}
    FROM (
      SELECT *, named_by_hold AS held, false AS several_accounts, false AS several_lives, key_id AS first_key, last_used_at AS group_last_used_at
      FROM (
        ${perApiKeys(l, options)}
        OFFSET 0 -- a fence, as windows are one: what is looked up is looked up once, and not for each use
      ) AS per_api_key
    ) AS judged`;
}
