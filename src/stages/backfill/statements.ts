import { copiedColumns } from '../../legacy/copy.js';
import type { LegacyFragments } from '../../legacy/fragments.js';
import { heldByName, settledByItself } from '../../legacy/rules.js';

/** Cuts the one open range into ranges of $1 keys: inserts them beside it; `REMOVE_UNCUT` then takes it away. */
export const cutRanges = (l: LegacyFragments): string => `
  /* cutting the keys into ranges */
  INSERT INTO keylift.batches (attempt, after_id, upto_id)
  SELECT (SELECT attempt FROM keylift.migration), lag(upto_id) OVER (ORDER BY upto_id), upto_id
  FROM (
    SELECT id AS upto_id FROM (
      SELECT ${l.id} AS id, row_number() OVER (ORDER BY ${l.id}) AS place
      FROM ${l.keys} k WHERE ${l.id} <= (SELECT upto_id FROM keylift.batches WHERE state = 'uncut')) numbered
    WHERE place % $1::bigint = 0
    UNION SELECT upto_id FROM keylift.batches WHERE state = 'uncut'
  ) boundary`;

/** Waits for writers that share the range; those that come later find the new ranges. */
export const REMOVE_UNCUT = `DELETE FROM keylift.batches WHERE state = 'uncut'`;

/**
 * All rows of repeated tokens. Nothing but the token stands inside the search, so that one pass over the token's
 * index answers it; rows without a token, a group of their own there, are left out outside.
 */
export const findRepeated = (l: LegacyFragments): string => `
  /* looking for repeated tokens */
  INSERT INTO keylift.repeated_keys (key_id)
  SELECT ${l.id} FROM ${l.keys} k
  WHERE ${l.isPerApiKey} AND ${l.hasToken} AND ${l.token} = ANY (ARRAY(
    SELECT ${l.token} FROM ${l.keys} k WHERE ${l.isPerApiKey} GROUP BY ${l.token} HAVING count(*) > 1))
  ON CONFLICT (key_id) DO NOTHING`;

/**
 * Judges one page of repeated tokens and takes it off the list; returns how many keys it took. `settle` takes the rows
 * it is called for to be the caller's, as a trigger's are: so they are locked first, or a change of one that has not
 * committed would be judged by both sides without the other.
 */
export const settleRepeated = (l: LegacyFragments): string => `
  /* judging repeated tokens */
  WITH page AS (
    DELETE FROM keylift.repeated_keys WHERE key_id IN (SELECT key_id FROM keylift.repeated_keys ORDER BY key_id LIMIT $1) RETURNING key_id
  ), held AS MATERIALIZED (
    SELECT ${l.token} AS token, ${l.hasToken} AS has_token FROM ${l.keys} k WHERE ${l.id} IN (SELECT key_id FROM page) ORDER BY ${l.id} FOR NO KEY UPDATE OF k
  ), seen AS (
    SELECT (SELECT array_agg(DISTINCT token) FILTER (WHERE has_token) FROM held) AS tokens, array_agg(key_id) AS ids, count(*) AS keys FROM page
  )
  SELECT keys, CASE WHEN keys > 0 THEN keylift.settle(ids, coalesce(tokens, '{}'))::text END FROM seen`;

/** Claims the next open ranges nobody holds. A writer that shares a range, or another runner, makes us pass it over. */
export const CLAIM = `
  /* claiming a range */
  SELECT batch_no, after_id::text AS after_id, upto_id::text AS upto_id, tries FROM keylift.batches
  WHERE state = 'pending' ORDER BY batch_no LIMIT $1 FOR UPDATE SKIP LOCKED`;

const inRange = (id: string, type: string): string => `($1::${type} IS NULL OR ${id} > $1::${type}) AND ${id} <= $2::${type}`;

/** What a range holds already. While the range is locked nobody can add to it, so the copy need not look again. */
export interface RangeFacts {
  /** Account keys with ids in the range: brought by the mirror, or born in Settings. */
  present: boolean;
  /** Keys of the range with a word in the ledger: twins judged before, exceptions the mirror met. */
  outcomes: boolean;
  holds: boolean;
}

export const lookAtRange = (l: LegacyFragments, idType: string): string => `
  /* looking at a range */
  SELECT EXISTS (SELECT FROM ${l.target} t WHERE ${inRange('t.id', idType)}) AS present,
    EXISTS (SELECT FROM keylift.outcomes x WHERE ${inRange('x.key_id', idType)}) AS outcomes,
    EXISTS (SELECT FROM keylift.holds) AS holds`;

/**
 * The statement that matters: one range of keys becomes account keys, inside PostgreSQL, every value verbatim.
 * Rows that need a word (exceptions, holds, twins) are left for `explainRest`; rows that the mirror brought
 * already are left alone. Conditions that can match nothing in this range are left out: they mislead the planner.
 * NOT IN, of ids that are never null: rows arrive in the order of their ids, which is what the primary key takes
 * fastest; an anti-join may hash them and hand them on in any order.
 */
export function copyRange(l: LegacyFragments, idType: string, facts: RangeFacts): string {
  const columns = copiedColumns(l);
  return `
  /* copying a batch */
  INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')}, last_used_at)
  SELECT ${l.id}, ${columns.map((c) => c.source).join(', ')}, ${l.lastUsedAt}
  FROM ${l.keys} k
    JOIN ${l.apis} a ON ${l.apiId} = ${l.api}
    JOIN ${l.accounts} o ON ${l.accountId} = ${l.account}
  WHERE ${inRange(l.id, idType)} AND ${l.isPerApiKey}
    AND ${l.inStore} AND ${l.hasToken} AND ${l.createdAt} IS NOT NULL
    ${facts.holds ? `AND NOT ${heldByName(l, { from: 'ledger' })}` : ''}
    ${facts.outcomes ? `AND ${l.id} NOT IN (SELECT x.key_id FROM keylift.outcomes x WHERE ${inRange('x.key_id', idType)})` : ''}
    ${facts.present ? `AND ${l.id} NOT IN (SELECT t.id FROM ${l.target} t WHERE ${inRange('t.id', idType)})` : ''}`;
}

/**
 * Accounts for every row of the range that has no account key: a key that stays, an exception with its reason,
 * a hold, or one that the ledger explained before. `unexplained` must be 0, or the batch is not committed.
 * Few of these rows get as far as their account, so it is looked up row by row: an EXISTS may be answered by a
 * hash of all accounts, made anew for every batch.
 */
export const explainRest = (l: LegacyFragments, { idType, holds }: { idType: string; holds: boolean }): string => `
  /* accounting for the rest of a batch */
  WITH rest AS MATERIALIZED (
    SELECT ${l.id} AS key_id, ${holds ? heldByName(l, { from: 'ledger' }) : 'false'} AS held, x.key_id IS NOT NULL AS explained,
      ${l.apiNeedsAccount ? settledByItself(l) : settledByItself(l, `(SELECT true FROM ${l.accounts} o WHERE ${l.accountId} = ${l.account} LIMIT 1) IS NULL`)} AS settled
    FROM ${l.apiNeedsAccount ? l.from : `${l.keys} k LEFT JOIN ${l.apis} a ON ${l.apiId} = ${l.api}`}
      LEFT JOIN (SELECT x.key_id FROM keylift.outcomes x WHERE ${inRange('x.key_id', idType)}) x ON x.key_id = ${l.id}
    WHERE ${inRange(l.id, idType)} AND ${l.isPerApiKey}
      AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id} AND ${inRange('t.id', idType)})
  ), aside AS (
    INSERT INTO keylift.outcomes (key_id, outcome, reason)
    SELECT key_id, CASE WHEN settled IS NULL THEN 'hold' ELSE 'exception' END, settled FROM rest
    WHERE NOT explained AND settled IS DISTINCT FROM 'stay' AND (settled IS NOT NULL OR held)
    RETURNING key_id
  )
  SELECT count(*) FILTER (WHERE settled = 'stay' AND NOT explained) AS stayed,
    count(*) FILTER (WHERE explained OR settled IS DISTINCT FROM 'stay') AS set_aside,
    count(*) FILTER (WHERE settled IS NULL AND NOT held AND NOT explained) AS unexplained
  FROM rest, (SELECT count(*) FROM aside) written`;

/** How many rows of the range the mirror had brought before the batch. */
export const countPresent = (l: LegacyFragments, idType: string): string =>
  `SELECT count(*) AS present FROM ${l.target} t WHERE ${inRange('t.id', idType)} AND t.origin_api_id IS NOT NULL`;

/** The batch's own line in the ledger, written in the batch's transaction. */
export const FINISH_BATCH = `
  /* writing a batch into the ledger */
  UPDATE keylift.batches SET state = 'done', run_id = $2, rows = $3, moved = $4, stayed = $5, set_aside = $6,
    seconds = $7, finished_at = clock_timestamp(), sqlstate = NULL WHERE batch_no = $1`;
