import { sql } from '../database/sql.js';
import { aliveExpression } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';

/** Is the account key `t` alive? */
export const aliveTarget = (l: MappedSchema['legacy']): string =>
  aliveExpression('t.revoked_at', 't.expires_at', l.now);

/** Does an account key answer for the per-API key `k` once its account is switched? */
export const hasAccountKey = ({ legacy: l }: MappedSchema): string => sql`
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
