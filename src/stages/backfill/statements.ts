import { copiedColumns } from '../../mapping/copy.js';
import { withApi, type LegacyFragments } from '../../mapping/fragments.js';
import { heldByName, settledByItself } from '../../mapping/rules/verdicts.js';

/** Cuts the one open range into ranges of $1 keys: inserts them beside it; `REMOVE_UNCUT` then takes it away. */
export const cutRanges = (l: LegacyFragments): string => `
  /* cutting the keys into ranges */
  WITH RECURSIVE whole AS (SELECT upto_id FROM keylift.batches WHERE state = 'uncut'),
  boundary (upto_id) AS (
    SELECT (SELECT ${l.id()} FROM ${l.keys} k WHERE ${l.id()} <= w.upto_id ORDER BY ${l.id()} OFFSET $1::bigint - 1 LIMIT 1) FROM whole w
    UNION ALL
    SELECT (SELECT ${l.id()} FROM ${l.keys} k WHERE ${l.id()} > b.upto_id AND ${l.id()} <= w.upto_id ORDER BY ${l.id()} OFFSET $1::bigint - 1 LIMIT 1)
    FROM boundary b, whole w WHERE b.upto_id IS NOT NULL
  )
  INSERT INTO keylift.batches (attempt, after_id, upto_id)
  SELECT (SELECT attempt FROM keylift.migration), lag(upto_id) OVER (ORDER BY upto_id), upto_id
  FROM (SELECT upto_id FROM boundary WHERE upto_id IS NOT NULL UNION SELECT upto_id FROM whole) ends`;

/** Waits for writers that share the range; those that come later find the new ranges. */
export const REMOVE_UNCUT = `DELETE FROM keylift.batches WHERE state = 'uncut'`;

/**
 * Lists all rows of repeated tokens, in pages of about $1 that keep the rows of a token together and lie in one
 * part of the table. Nothing but the token
 * stands inside the search, so that one pass over the token's index answers it; rows without a token, a group of
 * their own there, are left out outside.
 */
export const listRepeated = (l: LegacyFragments): string => `
  /* looking for repeated tokens */
  INSERT INTO keylift.to_judge (key_id, page)
  SELECT key_id, (place - 1) / $1::bigint FROM (
    SELECT key_id, rank() OVER (ORDER BY first_key) AS place FROM (
      SELECT ${l.id()} AS key_id, first_value(${l.id()}) OVER (PARTITION BY ${l.token()} ORDER BY ${l.id()}) AS first_key FROM ${l.keys} k
      WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${l.token()} = ANY (ARRAY(
        SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1))) repeated) ordered
  ON CONFLICT (key_id) DO NOTHING`;

/** Lists all rows whose account is missing, so that no batch has to look each key's account up; pages below zero. */
export const listOrphans = (l: LegacyFragments): string => `
  /* looking for keys without an account */
  INSERT INTO keylift.to_judge (key_id, page)
  SELECT key_id, - 1 - (row_number() OVER () - 1) / $1::bigint FROM (
    SELECT ${l.id()} AS key_id FROM ${l.keys} k LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
    WHERE ${l.accountId()} IS NULL AND ${l.isPerApiKey()}) orphan
  ON CONFLICT (key_id) DO NOTHING`;

/**
 * Judges page $1 of the list; returns how many keys it has. `settle` takes the rows it is called for to be the
 * caller's, as a trigger's are: so they are locked first, or a change of one that has not committed would be judged
 * by both sides without the other.
 */
export const judgePage = (l: LegacyFragments): string => `
  /* judging keys that no batch copies */
  WITH page AS (
    SELECT key_id FROM keylift.to_judge WHERE page = $1
  ), held AS MATERIALIZED (
    SELECT ${l.token()} AS token, ${l.hasToken()} AS has_token FROM ${l.keys} k WHERE ${l.id()} IN (SELECT key_id FROM page) ORDER BY ${l.id()} FOR NO KEY UPDATE OF k
  ), seen AS (
    SELECT (SELECT array_agg(DISTINCT token) FILTER (WHERE has_token) FROM held) AS tokens, array_agg(key_id) AS ids, count(*) AS keys FROM page
  )
  SELECT keys, CASE WHEN keys > 0 THEN keylift.settle(ids, coalesce(tokens, '{}'))::text END FROM seen`;

/** Lines that page $1 may change, in one order for all who do. */
export const LOCK_LINES = `
  SELECT FROM keylift.batches WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration) ORDER BY batch_no FOR NO KEY UPDATE`;

/**
 * Takes page $1 off the list. To the batches' lines its keys were set aside; those that have an account key by now
 * have moved, and those that the ledger has no word for stay.
 */
export const takePage = (l: LegacyFragments): string => `
  /* taking judged keys into the ledger */
  WITH page AS (DELETE FROM keylift.to_judge WHERE page = $1 RETURNING key_id),
  lines AS (
    SELECT batch_no, after_id, upto_id, row_number() OVER (ORDER BY upto_id) - 1 AS place FROM keylift.batches
    WHERE state = 'done' AND attempt = (SELECT attempt FROM keylift.migration)),
  settled AS (
    SELECT p.key_id, t.id IS NOT NULL AS moved, width_bucket(p.key_id, e.ends) AS place, e.ends
    FROM page p LEFT JOIN ${l.target} t ON t.id = p.key_id AND t.origin_api_id IS NOT NULL,
      (SELECT array_agg(upto_id ORDER BY upto_id) AS ends FROM lines) e
    WHERE t.id IS NOT NULL OR NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = p.key_id)),
  counted AS (
    -- A bucket begins with its lower end, a range ends with its upper one.
    SELECT n.batch_no, count(*) FILTER (WHERE s.moved) AS moved, count(*) FILTER (WHERE NOT s.moved) AS stayed FROM settled s JOIN lines n
      ON n.place = s.place - CASE WHEN s.place > 0 AND s.ends[s.place] = s.key_id THEN 1 ELSE 0 END
    WHERE s.key_id <= n.upto_id AND (n.after_id IS NULL OR s.key_id > n.after_id)
    GROUP BY n.batch_no)
  UPDATE keylift.batches b SET moved = b.moved + c.moved, stayed = b.stayed + c.stayed, set_aside = b.set_aside - c.moved - c.stayed
  FROM counted c WHERE b.batch_no = c.batch_no`;

/** Claims the next open ranges nobody holds. A writer that shares a range, or another runner, makes us pass it over. */
export const CLAIM = `
  /* claiming a range */
  SELECT batch_no, after_id::text AS after_id, upto_id::text AS upto_id, tries FROM keylift.batches
  WHERE state = 'pending' ORDER BY batch_no LIMIT $1 FOR UPDATE SKIP LOCKED`;

const inRange = (id: string, type: string): string =>
  `($1::${type} IS NULL OR ${id} > $1::${type}) AND ${id} <= $2::${type}`;

/** What a range holds already. While the range is locked nobody can add to it, so the copy need not look again. */
export interface RangeFacts {
  /** Account keys with ids in the range: brought by the mirror, or born in Settings. */
  present: boolean;
  /** Keys of the range with a word in the ledger: exceptions, holds and twins that the mirror met. */
  outcomes: boolean;
  /** Keys of the range that wait to be judged: their token is repeated, or their account was missing. */
  listed: boolean;
  holds: boolean;
  /** Look at accounts, too: nobody has listed the keys without one. */
  accounts?: boolean;
}

export const lookAtRange = (l: LegacyFragments, idType: string): string => `
  /* looking at a range */
  SELECT EXISTS (SELECT FROM ${l.target} t WHERE ${inRange('t.id', idType)}) AS present,
    EXISTS (SELECT FROM keylift.outcomes x WHERE ${inRange('x.key_id', idType)}) AS outcomes,
    EXISTS (SELECT FROM keylift.to_judge j WHERE ${inRange('j.key_id', idType)}) AS listed,
    EXISTS (SELECT FROM keylift.holds) AS holds`;

/** What one range came to; the counts add up to `rows`. */
export interface RangeCounts {
  rows: string;
  moved: string;
  stayed: string;
  set_aside: string;
}

/**
 * The statement that matters: one pass over a range says one word of each of its keys, and each word has one
 * consequence. Without a word a key becomes an account key, inside PostgreSQL, every value verbatim. Rows that the
 * mirror brought already, that the ledger has, or that wait to be judged, are left alone; whether an account is there
 * was asked of all keys at once (`listOrphans`). Conditions that can match nothing in this range are left out: they
 * mislead the planner. IN, of ids that are never null, so that rows arrive in the order of their ids, which is what
 * the primary key takes fastest; a join may hash them and hand them on in any order.
 */
export function copyRange(l: LegacyFragments, idType: string, facts: RangeFacts): string {
  const columns = [...copiedColumns(l), { target: 'last_used_at', source: l.lastUsedAt() }];
  const isIn = (table: string, id: string): string =>
    `${l.id()} IN (SELECT ${id} FROM ${table} WHERE ${inRange(id, idType)})`;
  const words = [
    facts.listed ? `WHEN ${isIn('keylift.to_judge j', 'j.key_id')} THEN 'listed'` : '',
    facts.outcomes ? `WHEN ${isIn('keylift.outcomes x', 'x.key_id')} THEN 'explained'` : '',
    facts.present ? `WHEN ${isIn(`${l.target} t`, 't.id')} THEN 'present'` : '',
  ].filter((word) => word !== '');
  const settled = settledByItself(l, facts.accounts === true ? undefined : `${l.account()} IS NULL`);
  return `
  /* copying a batch */
  WITH seen AS MATERIALIZED (
    SELECT ${l.id()} AS key_id, ${columns.map((c, at) => `${c.source} AS c${String(at)}`).join(', ')},
      ${facts.holds ? heldByName(l, { from: 'ledger' }) : 'false'} AS held,
      ${words.length === 0 ? settled : `CASE ${words.join(' ')} ELSE ${settled} END`} AS word
    FROM ${facts.accounts === true ? l.from : withApi(l)}
    WHERE ${inRange(l.id(), idType)} AND ${l.isPerApiKey()}
  ), moved AS (
    INSERT INTO ${l.target} (id, ${columns.map((c) => c.target).join(', ')})
    SELECT key_id, ${columns.map((_, at) => `c${String(at)}`).join(', ')} FROM seen WHERE word IS NULL AND NOT held
    RETURNING 1
  ), aside AS (
    INSERT INTO keylift.outcomes (key_id, outcome, reason)
    SELECT key_id, CASE WHEN word IS NULL THEN 'hold' ELSE 'exception' END, word FROM seen
    WHERE word NOT IN ('present', 'explained', 'listed', 'stay') OR (word IS NULL AND held)
    RETURNING 1
  )
  SELECT count(*) AS rows, count(*) FILTER (WHERE word = 'present') + (SELECT count(*) FROM moved) AS moved,
    count(*) FILTER (WHERE word = 'stay') AS stayed,
    count(*) FILTER (WHERE word IN ('explained', 'listed')) + (SELECT count(*) FROM aside) AS set_aside
  FROM seen`;
}

/** The batch's own line in the ledger, written in the batch's transaction. */
export const FINISH_BATCH = `
  /* writing a batch into the ledger */
  UPDATE keylift.batches SET state = 'done', run_id = $2, rows = $3, moved = $4, stayed = $5, set_aside = $6,
    seconds = $7, finished_at = clock_timestamp(), sqlstate = NULL WHERE batch_no = $1`;
