import { sql } from '../../database/sql.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import type { MappedSchema } from '../../mapping/inspect.js';
import { hasTokenIn, repeatedTokens } from '../../mapping/rules/repeated-tokens.js';

/**
 * Lists all duplicates in pages of about $1 keys; the rows of a token are on one page and lie in one part of the table.
 * The search looks at nothing but the token, so that one pass over the token's index answers it. Rows without a token,
 * a group of their own there, are left out outside of it.
 */
export const listRepeated = ({ legacy: l, types: { tokensSorted } }: MappedSchema): string => sql`
  /* looking for repeated tokens */
  INSERT INTO keylift.to_judge (key_id, page)
  SELECT key_id, (place - 1) / $1::bigint
  FROM (
    SELECT key_id, rank() OVER (ORDER BY first_key) AS place
    FROM (
      SELECT ${l.id()} AS key_id, first_value(${l.id()}) OVER (PARTITION BY ${l.token()} ORDER BY ${l.id()}) AS first_key
      FROM ${l.keys} k
      WHERE ${l.isPerApiKey()}
        AND ${hasTokenIn(l, { tokens: repeatedTokens(l), tokensSorted })}
    ) repeated
  ) ordered
  ON CONFLICT (key_id) DO NOTHING`;

/** Lists all rows whose account is missing, so that no batch has to look each key's account up; pages below zero. */
export const listOrphans = ({ legacy: l }: MappedSchema): string => sql`
  /* looking for keys without an account */
  INSERT INTO keylift.to_judge (key_id, page)
  SELECT key_id, - 1 - (row_number() OVER () - 1) / $1::bigint
  FROM (
    SELECT ${l.id()} AS key_id
    FROM ${l.keys} k
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
    WHERE ${l.accountId()} IS NULL AND ${l.isPerApiKey()}
  ) orphan
  ON CONFLICT (key_id) DO NOTHING`;

/**
 * Settles page $1 of the list; returns how many keys it has. `settle` takes its rows to be locked by the caller, as a
 * trigger's rows are. So they are locked first, or two sessions would each settle a row without the other's change.
 */
export const settleListed = (l: LegacyFragments): string => sql`
  /* settling keys that no batch copies */
  WITH page AS (
    SELECT key_id FROM keylift.to_judge WHERE page = $1
  ), locked AS MATERIALIZED (
    SELECT ${l.token()} AS token, ${l.hasToken()} AS has_token
    FROM ${l.keys} k
    WHERE ${l.id()} IN (SELECT key_id FROM page)
    ORDER BY ${l.id()}
    FOR NO KEY UPDATE OF k
  ), listed AS (
    SELECT (SELECT array_agg(DISTINCT token) FILTER (WHERE has_token) FROM locked) AS tokens,
      array_agg(key_id) AS ids, count(*) AS keys
    FROM page
  )
  SELECT keys, CASE WHEN keys > 0 THEN keylift.settle(ids, coalesce(tokens, '{}'))::text END
  FROM listed`;

/** Ledger lines that a page may change, in one order for all sessions that do. */
export const LOCK_LINES = sql`
  SELECT FROM keylift.batches
  WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
  ORDER BY batch_no
  FOR NO KEY UPDATE`;

/**
 * Takes page $1 off the list and corrects the batches' lines, which counted its keys as excluded: those with an account
 * key have moved, and those without an outcome stay.
 */
export const takeListed = (l: LegacyFragments): string => sql`
  /* writing listed keys into the ledger */
  WITH page AS (
    DELETE FROM keylift.to_judge WHERE page = $1 RETURNING key_id
  ), lines AS (
    SELECT batch_no, after_id, upto_id, row_number() OVER (ORDER BY upto_id) - 1 AS place
    FROM keylift.batches
    WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)
  ), decided AS (
    SELECT p.key_id, t.id IS NOT NULL AS moved, width_bucket(p.key_id, e.ends) AS place, e.ends
    FROM page p
      LEFT JOIN ${l.target} t ON t.id = p.key_id AND t.origin_api_id IS NOT NULL,
      (SELECT array_agg(upto_id ORDER BY upto_id) AS ends FROM lines) e
    WHERE t.id IS NOT NULL OR NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = p.key_id)
  ), counted AS (
    -- A bucket begins with its lower end, a range ends with its upper one.
    SELECT n.batch_no, count(*) FILTER (WHERE d.moved) AS moved, count(*) FILTER (WHERE NOT d.moved) AS stayed
    FROM decided d
      JOIN lines n ON n.place = d.place - CASE WHEN d.place > 0 AND d.ends[d.place] = d.key_id THEN 1 ELSE 0 END
    WHERE d.key_id <= n.upto_id AND (n.after_id IS NULL OR d.key_id > n.after_id)
    GROUP BY n.batch_no
  )
  UPDATE keylift.batches b
  SET moved = b.moved + c.moved, stayed = b.stayed + c.stayed, set_aside = b.set_aside - c.moved - c.stayed
  FROM counted c
  WHERE b.batch_no = c.batch_no`;
