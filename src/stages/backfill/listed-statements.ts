import { sql } from '../../database/sql.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { hasTokenIn, repeatedTokens } from '../../mapping/rules/repeated-tokens.js';

/**
 * Lists the keys of every repeated token, in pages of about $1 keys that keep the rows of a token together. The search
 * names nothing but the token, so that one pass over the token's index answers it.
 */
export const listDuplicates = ({ legacy: l, types: { tokensSorted } }: MappedSchema): string => sql`
  /* backfill: list the duplicates */
  INSERT INTO keylift.listed_keys (key_id, page)
  SELECT key_id, (place - 1) / $1::bigint
  FROM (
    SELECT key_id, rank() OVER (ORDER BY first_key) AS place
    FROM (
      SELECT ${l.id()} AS key_id, first_value(${l.id()}) OVER (PARTITION BY ${l.token()} ORDER BY ${l.id()}) AS first_key
      FROM ${l.keys} k
      WHERE ${l.isPerApiKey()}
        AND ${hasTokenIn(l, { tokens: repeatedTokens(l), tokensSorted })}
    ) AS duplicate
  ) AS placed
  ON CONFLICT (key_id) DO NOTHING`;

/** Lists the keys whose account is missing, so that no batch looks up the account of each key. Their pages are negative. */
export const listKeysWithoutAccount = ({ legacy: l }: MappedSchema): string => sql`
  /* backfill: list the keys without an account */
  INSERT INTO keylift.listed_keys (key_id, page)
  SELECT key_id, - 1 - (row_number() OVER () - 1) / $1::bigint
  FROM (
    SELECT ${l.id()} AS key_id
    FROM ${l.keys} k
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
    WHERE ${l.accountId()} IS NULL AND ${l.isPerApiKey()}
  ) AS without_account
  ON CONFLICT (key_id) DO NOTHING`;
