import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';

/** At most so many keys are named. */
export const UNFIT_LISTED = 20;

/** Two sessions that inserted one token at the same time saw nothing of each other. */
export const tokensOfSeveral = ({ target }: LegacyFragments): string => sql`
  SELECT t.id::text AS key_id
  FROM ${target} t
  WHERE t.token IN (SELECT token FROM ${target} GROUP BY token HAVING count(*) > 1)`;

/** Before harden an account can go without its account keys. */
export const keysWithoutAccount = (l: LegacyFragments): string => sql`
  SELECT t.id::text AS key_id
  FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = t.account_id)`;

/** Account keys that the constraints refuse; before harden the new table takes them. */
export const unfitKeys = (l: LegacyFragments): string => sql`
  SELECT count(*) OVER () AS total, t.id::text AS key_id,
    CASE
      WHEN length(t.token) = 0 THEN 'no token'
      WHEN t.scope <> 'store_apis' THEN 'a scope other than store_apis'
      ELSE 'no account ' || t.account_id::text
    END AS fault
  FROM ${l.target} t
  WHERE length(t.token) = 0
    OR t.scope <> 'store_apis'
    OR NOT EXISTS (SELECT FROM ${l.accounts} o WHERE ${l.accountId()} = t.account_id)
  ORDER BY t.id
  LIMIT ${UNFIT_LISTED}`;
