import { sql } from '../database/sql.js';
import { aliveExpression } from '../mapping/fragments.js';
import { isSwitched } from './cohort.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Is the account key `t` alive? */
export const aliveTarget = (l: MappedSchema['legacy']): string =>
  aliveExpression('t.revoked_at', 't.expires_at', l.now);

/**
 * Does the account key of the per-API key `k` answer for its API `a` now? `a` is a store API, or each account has store
 * APIs of its own: then the account key decides, since the account of `k` may have changed in another table.
 *
 * @param cohorts SQL of the cohorts in force
 */
export const accountKeyAnswers = (schema: MappedSchema, cohorts: string): string =>
  schema.legacy.apiNeedsAccount
    ? ownAccountKeyAnswers(schema, cohorts)
    : sql`
        ${hasAccountKey(schema)}
        AND ${isSwitched(schema.legacy.account(), cohorts)}`;

function ownAccountKeyAnswers({ legacy: l }: MappedSchema, cohorts: string): string {
  const opens = sql`
    LEFT JOIN ${l.accounts} o ON ${l.accountId()} = m.account_id
    WHERE ${l.inStore()}
      AND ${isSwitched('m.account_id', cohorts)}`;
  return sql`
    (
      EXISTS (
        SELECT
        FROM ${l.target} m
          ${opens}
          AND m.id = ${l.id()} AND m.origin_api_id IS NOT NULL
      )
      OR EXISTS (
        SELECT
        FROM keylift.outcomes x
          JOIN ${l.target} m ON m.id = x.account_key_id
          ${opens}
          AND x.key_id = ${l.id()} AND x.outcome = 'merge'
      )
    )`;
}

/** Does an account key answer for the per-API key `k` once its account is switched? */
const hasAccountKey = ({ legacy: l }: MappedSchema): string => sql`
  (
    EXISTS (SELECT FROM ${l.target} m WHERE m.id = ${l.id()} AND m.origin_api_id IS NOT NULL)
    OR EXISTS (SELECT FROM keylift.outcomes m WHERE m.key_id = ${l.id()} AND m.outcome = 'merge')
  )`;

/**
 * The per-API rows behind an account key that opened this API, `(created_at, id)`: its own, and those merged into it,
 * which are as long alive. The ledger remembers the merged ones: finalize takes the rows out of their table, and a purge
 * out of the archive.
 */
export const rowsBehind = ({ account, api }: { account: string; api: string }): string => sql`
  SELECT ${account}.created_at AS created_at, ${account}.id AS id
  WHERE ${account}.origin_api_id = ${api}
  UNION ALL
  SELECT x.opened_since, x.key_id
  FROM keylift.outcomes x
  WHERE x.outcome = 'merge' AND x.account_key_id = ${account}.id AND x.opened_api_id = ${api}`;
