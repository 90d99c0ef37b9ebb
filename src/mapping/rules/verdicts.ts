import { commaList, sql } from '../../database/sql.js';
import type { LegacyFragments } from '../fragments.js';

/**
 * Rules 1 and 8 for one row of `legacy.from`: `stay`, an exception's reason, or NULL for a key that may move.
 * The order is the contract's (rule 9); a key whose API is missing is `missing_api`, never `stay`.
 */
export const settledByItself = (l: LegacyFragments, accountIsMissing = `${l.accountId()} IS NULL`): string => sql`
  CASE
    WHEN ${l.apiId()} IS NULL THEN 'missing_api'
    WHEN ${l.outOfStore} THEN 'stay'
    WHEN ${accountIsMissing} THEN 'missing_account'
    WHEN NOT ${l.hasToken()} THEN 'missing_token'
    WHEN ${l.createdAt()} IS NULL THEN 'missing_created_at'
  END`;

/** Where `settledByItself` says `stay`: the key of an API that is there, and not of the store. */
export const staysByItself = (l: LegacyFragments): string => `(${l.apiId()} IS NOT NULL AND ${l.outOfStore})`;

/** Where the holds are: in the ledger, or (for a plan, which writes nothing) in two array parameters, or nowhere. */
export type HoldsSource =
  { from: 'ledger' } | { from: 'parameters'; keyIds: string; accountIds: string } | { from: 'nowhere' };

/** Does a hold name this row or its account? `verdicts` extends the hold to the rows of the account with the same token. */
export function heldByName(l: LegacyFragments, holds: HoldsSource): string {
  switch (holds.from) {
    case 'nowhere':
      return 'false';
    case 'parameters':
      return sql`
        (coalesce(${l.id()} = ANY (${holds.keyIds}), false)
          OR coalesce(${l.account()} = ANY (${holds.accountIds}), false))`;
    case 'ledger':
      return sql`
        (EXISTS (SELECT FROM keylift.holds h WHERE h.key_id = ${l.id()})
          OR EXISTS (SELECT FROM keylift.holds h WHERE h.account_id = ${l.account()}))`;
  }
}

export interface VerdictOptions {
  holds: HoldsSource;
  /** Condition over `k` that picks rows; with a row it must pick every row that shares its token. */
  rows: string;
  /** Condition over `k`: a native key has the token. */
  takenElsewhere?: string;
  /** Condition over `k` and `a`: the API is missing, and the key has its account key from before. */
  outlivesItsApi?: string;
  /** Further columns of the answer: their names, and expressions over `k`, `a` and `o`. */
  also?: Record<string, string>;
}

/** What the rules look at in each row, without a look at other rows. */
function candidates(l: LegacyFragments, options: VerdictOptions): string {
  const columns = [
    `${l.id()} AS key_id`,
    `${l.account()} AS account_id`,
    `${l.token()} AS token`,
    `${l.createdAt()} AS created_at`,
    `${l.lastUsedAt()} AS last_used_at`,
    `${l.alive()} AS alive`,
    `${lifeOf(l)} AS life`,
    `${heldByName(l, options.holds)} AS named_by_hold`,
    `${options.takenElsewhere ?? 'false'} AS taken_by_native_key`,
    `${ownReason(l, options)} AS own_reason`,
    ...Object.entries(options.also ?? {}).map(([name, value]) => `${value} AS ${name}`),
  ];
  return sql`
    SELECT
      ${commaList(columns)}
    FROM
      ${l.from}
    WHERE ${l.isPerApiKey()}
      AND ${options.rows}`;
}

/** Two keys have one life when both are dead, or both are alive with the same expiry. */
const lifeOf = (l: LegacyFragments): string => sql`
  CASE
    WHEN ${l.alive()}
      THEN coalesce((${l.expiresAt()})::text, 'never')
    ELSE 'dead'
  END`;

const ownReason = (l: LegacyFragments, { outlivesItsApi }: VerdictOptions): string =>
  outlivesItsApi === undefined
    ? settledByItself(l)
    : sql`
        CASE WHEN (${outlivesItsApi}) IS NOT TRUE THEN
          ${settledByItself(l)}
        END`;

/** Rules 1 and 7 to 9 in the order of rule 9, over rows that know what the rows of their token have in common. */
const inOrder = ({ also = {} }: VerdictOptions): string => sql`
  SELECT key_id, account_id, alive, token,
    CASE
      WHEN own_reason = 'stay' THEN 'stay'
      WHEN own_reason IS NOT NULL THEN 'exception'
      WHEN held THEN 'hold'
      WHEN several_accounts OR taken_by_native_key OR several_lives THEN 'exception'
      WHEN key_id = first_key THEN 'move'
      ELSE 'merge'
    END AS outcome,
    CASE
      WHEN own_reason = 'stay' THEN NULL
      WHEN own_reason IS NOT NULL THEN own_reason
      WHEN held THEN NULL
      WHEN several_accounts OR taken_by_native_key THEN 'shared_token'
      WHEN several_lives THEN 'conflicting_status'
    END AS reason,
    CASE WHEN own_reason IS NULL THEN first_key END AS account_key_id,
    ${commaList(['group_last_used_at AS last_used_at', ...Object.keys(also)])}`;

/**
 * The reference: rules 1 and 7 to 9 as one SELECT, one row (key_id, outcome, reason, account_key_id, account_id, alive,
 * token, last_used_at) for each row picked. The first key of a group is the earliest created, then the lowest id, in the
 * column's own order. Every faster reading of the rules has a file of its own beside this one, and a test compares it with
 * this one.
 */
export function verdicts(l: LegacyFragments, options: VerdictOptions): string {
  return sql`
    ${inOrder(options)}
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
          SELECT *, own_reason IS NULL AS may_move
          FROM (
            ${candidates(l, options)}
          ) candidate
        ) candidate
        WINDOW earliest AS (PARTITION BY token, may_move ORDER BY created_at, key_id)
      ) grouped
      WINDOW same_token AS (PARTITION BY token, may_move)
    ) compared`;
}

/** The rules as a condition over one row of `legacy.from` whose token no other row has: does it move? */
export const movesAlone = (
  l: LegacyFragments,
  { holds, takenElsewhere = 'false' }: Pick<VerdictOptions, 'holds' | 'takenElsewhere'>,
): string => `(${settledByItself(l)}) IS NULL AND NOT ${heldByName(l, holds)} AND NOT ${takenElsewhere}`;

/** `verdicts` for a row whose token no other row has, without the windows: they are most of the cost for a single key. */
export function verdictAlone(l: LegacyFragments, options: VerdictOptions): string {
  return sql`
    ${inOrder(options)}
    FROM (
      SELECT *, named_by_hold AS held, false AS several_accounts, false AS several_lives,
        key_id AS first_key, last_used_at AS group_last_used_at
      FROM (
        ${candidates(l, options)}
        OFFSET 0 -- as windows do, this keeps PostgreSQL from evaluating an expression once for each use
      ) candidate
    ) compared`;
}
