import { rowsInRange } from '../mapping/chunks.js';
import { aliveExpression, type LegacyFragments } from '../mapping/fragments.js';
import type { Finality } from './finality.js';

/*
 * The proof's own reading of the rules. Nothing here is shared with the statements that moved the rows beyond the
 * operator's mapping: outcomes are derived by GROUP BY where the mover uses windows, by predicates where it uses CASE.
 */

const held = (alias: { id: string; account: string }): string =>
  `(${alias.id} IN (SELECT h.key_id FROM keylift.holds h WHERE h.key_id IS NOT NULL)
    OR ${alias.account} IN (SELECT h.account_id FROM keylift.holds h WHERE h.account_id IS NOT NULL))`;

/** After finalize no list holds a key back any more: what moved stays an account key, also that of an account held then. */
const heldNow = (l: LegacyFragments, { leftBehind }: Finality): string =>
  leftBehind === 'false' ? held({ id: l.id(), account: l.account() }) : 'false';

/** A carried column may have any name, also that of a fact: here it goes by a number. */
const carriedColumns = (l: LegacyFragments, alias: string): string =>
  l.carry.map((c, at) => `${alias}.${c} AS carried_${String(at)},`).join(' ');

/** An account key's columns beside its source's facts. */
export const targetFacts = (l: LegacyFragments): string => `
    t.id, t.account_id, t.name, t.token, t.scope, t.origin_api_id, t.created_at, t.last_used_at, t.revoked_at, t.expires_at,
    ${carriedColumns(l, 't')} ${aliveExpression('t.revoked_at', 't.expires_at', l.now)} AS alive`;

/** Facts of one source row, named as the rules name them. */
export const sourceFacts = (l: LegacyFragments, finality: Finality): string => `
    ${l.id()} AS id, ${l.account()} AS account_id, ${l.api()} AS api_id, ${l.token()} AS token, ${l.name()} AS name,
    ${l.createdAt()} AS created_at, ${l.lastUsedAt()} AS last_used_at, ${l.revokedAt()} AS revoked_at, ${l.expiresAt()} AS expires_at,
    ${carriedColumns(l, 'k')}
    ${l.alive()} AS alive, ${l.apiId()} IS NOT NULL AS api_known, ${l.inStore()} AS in_store, ${l.accountId()} IS NOT NULL AS account_known,
    ${l.hasToken()} AS has_token, ${heldNow(l, finality)} AS held, ${finality.leftBehind} AS left_behind`;

/**
 * Judges all rows of repeated tokens, once for a proof: $0. `opened` counts store APIs the token opened before. After
 * finalize the rows that moved are judged among themselves, and no life of theirs takes an account key away any more.
 */
export const judgeTwins = (l: LegacyFragments, finality: Finality): string => `
  INSERT INTO keylift.proof_twins (key_id, keeper_id, expected, reason, opened)
  WITH source AS MATERIALIZED (
    SELECT ${sourceFacts(l, finality)} FROM ${l.from}
    WHERE ${l.isPerApiKey()} AND ${l.hasToken()} AND ${l.token()} ${isOneTable(l) ? '= ANY (ARRAY(' : 'IN ('}
      SELECT ${l.token()} FROM ${l.keys} k WHERE ${l.isPerApiKey()} GROUP BY ${l.token()} HAVING count(*) > 1
      UNION ALL SELECT b.token FROM ${l.target} b WHERE b.origin_api_id IS NULL${isOneTable(l) ? '))' : ')'}
  ), eligible AS (
    SELECT * FROM source WHERE api_known AND in_store AND account_known AND created_at IS NOT NULL AND NOT left_behind
  ), by_token AS (
    SELECT token, count(DISTINCT account_id) AS accounts, bool_or(alive) AS some_alive, bool_and(alive) AS all_alive,
      count(DISTINCT coalesce(expires_at::text, 'never')) AS expiries, (array_agg(id ORDER BY created_at, id))[1] AS keeper_id
    FROM eligible GROUP BY token
  ), held_tokens AS (
    SELECT token, account_id FROM source WHERE NOT left_behind GROUP BY token, account_id HAVING bool_or(held)
  ), opened AS (
    SELECT token, count(DISTINCT api_id) AS apis FROM source WHERE alive AND in_store GROUP BY token
  )
  SELECT s.id, t.keeper_id,
    CASE WHEN e.id IS NULL THEN 'alone'
         WHEN (s.token, s.account_id) IN (SELECT token, account_id FROM held_tokens) THEN 'hold'
         WHEN t.accounts > 1 OR EXISTS (SELECT FROM ${l.target} b WHERE b.token = s.token AND b.origin_api_id IS NULL) THEN 'exception'
         WHEN ${severalLives(finality)} THEN 'exception'
         WHEN s.id = t.keeper_id THEN 'move' ELSE 'merge' END,
    CASE WHEN e.id IS NULL OR (s.token, s.account_id) IN (SELECT token, account_id FROM held_tokens) THEN NULL
         WHEN t.accounts > 1 OR EXISTS (SELECT FROM ${l.target} b WHERE b.token = s.token AND b.origin_api_id IS NULL) THEN 'shared_token'
         WHEN ${severalLives(finality)} THEN 'conflicting_status' END,
    coalesce(o.apis, 0)
  FROM source s LEFT JOIN eligible e ON e.id = s.id LEFT JOIN by_token t ON t.token = s.token LEFT JOIN opened o ON o.token = s.token
  ON CONFLICT DO NOTHING -- an id that is in the legacy table and in the archive; the chunks will say so`;

/** The source is the legacy table alone: its index finds the few rows of a list of tokens, which the archive has not. */
const isOneTable = ({ keys }: LegacyFragments): boolean => !keys.startsWith('('); // `overSource` sets a subquery

const severalLives = ({ leftBehind }: Finality): string =>
  leftBehind === 'false' ? 't.some_alive AND (NOT t.all_alive OR t.expiries > 1)' : 'false';

/** Fields an account key must have equal with its source (rule 2), by the word a difference is reported with. */
export const comparedFields = (l: LegacyFragments): { field: string; differs: string }[] => [
  ...[...(l.hasName ? ['name'] : []), 'token', 'created_at', 'account_id', 'revoked_at', 'expires_at'].map((c) => ({
    field: c,
    differs: `s.${c} IS DISTINCT FROM t.${c}`,
  })),
  { field: 'origin_api_id', differs: 's.api_id IS DISTINCT FROM t.origin_api_id' },
  { field: 'scope', differs: `t.scope IS DISTINCT FROM 'store_apis'` },
  // Any type is carried, also those without an equality of their own, such as json.
  ...l.carry.map((c, at) => ({
    field: c,
    differs: `record_image_ne(ROW(s.carried_${String(at)}), ROW(t.carried_${String(at)}))`,
  })),
];

/** Where a chunk's rows come from: a range of ids, or the ids of an earlier doubt looked at again. */
export type ChunkRows = 'range' | 'ids';

const rowsOf = (id: string, rows: ChunkRows, type: string): string =>
  rows === 'ids' ? `${id} = ANY ($1::text[]::${type}[])` : rowsInRange(id, type);

/**
 * One chunk of the proof, one snapshot: source rows and account keys side by side, the old rule and the new one over
 * every store API, counted. Pairs are counted by arithmetic: a token opens its distinct old APIs before, and each
 * store API after. Returns one row of counters with the first differences as JSON.
 */
export function proveChunk(
  l: LegacyFragments,
  options: { rows: ChunkRows; idType: string; finality: Finality },
): string {
  const fields = comparedFields(l);
  const aliveT = aliveExpression('t.revoked_at', 't.expires_at', l.now);
  return `
  /* proving a chunk of rows */
  WITH store AS (SELECT count(*) AS apis FROM ${l.apis} a WHERE ${l.inStore()}),
  source AS (
    SELECT ${sourceFacts(l, options.finality)} FROM ${l.from}
    WHERE ${rowsOf(l.id(), options.rows, options.idType)} AND ${l.isPerApiKey()}
  ), target AS (
    SELECT ${targetFacts(l)} FROM ${l.target} t WHERE ${rowsOf('t.id', options.rows, options.idType)} AND t.origin_api_id IS NOT NULL ${options.finality.purged ? 'AND false' : ''}
  ), side_by_side AS (
    SELECT coalesce(s.id, t.id) AS id, s.id AS source_id, t.id AS target_id, s.alive AS was_alive, t.alive AS is_alive,
      s.token AS source_token, t.token AS target_token, s.account_id AS source_account, t.account_id AS target_account,
      s.in_store, s.api_known, x.outcome, x.reason, x.account_key_id, w.keeper_id,
      w.expected AS twin_expected, w.reason AS twin_reason,
      s.api_known AND s.in_store AND s.account_known AND s.has_token AND s.created_at IS NOT NULL AS eligible,
      s.api_known AND NOT s.in_store AS must_stay, s.held, coalesce(s.left_behind, false) AS left_behind,
      t.id IS NOT NULL AND NOT s.api_known AND t.origin_api_id = s.api_id AS outlived_its_api,
      CASE WHEN w.key_id IS NOT NULL THEN w.opened WHEN s.alive AND s.in_store THEN 1 ELSE 0 END AS opened,
      CASE WHEN s.id IS NOT NULL AND t.id IS NOT NULL
        THEN array_remove(ARRAY[${fields.map((f) => `CASE WHEN ${f.differs} THEN '${f.field}' END`).join(', ')}], NULL) END AS different_fields,
      s.last_used_at IS NOT NULL AND CASE WHEN x.outcome = 'merge'
        THEN EXISTS (SELECT FROM ${l.target} m WHERE m.id = x.account_key_id AND (m.last_used_at IS NULL OR m.last_used_at < s.last_used_at))
        ELSE t.id IS NOT NULL AND (t.last_used_at IS NULL OR t.last_used_at < s.last_used_at) END AS behind,
      t.last_used_at IS NOT NULL AND (s.last_used_at IS NULL OR t.last_used_at > s.last_used_at) AND s.id IS NOT NULL AS ahead
    FROM source s FULL JOIN target t ON t.id = s.id
      LEFT JOIN keylift.outcomes x ON x.key_id = s.id
      LEFT JOIN keylift.proof_twins w ON w.key_id = s.id
  ), expected AS (
    SELECT *,
      coalesce(CASE WHEN left_behind THEN false WHEN outlived_its_api THEN true
        WHEN twin_expected IS NOT NULL AND twin_expected <> 'alone' THEN twin_expected = 'move'
        ELSE eligible AND NOT held END, false) AS should_move
    FROM side_by_side
  ), judged AS (
    SELECT *,
      CASE WHEN source_id IS NULL THEN 'extra'
           WHEN target_id IS NOT NULL AND NOT should_move THEN 'extra'
           WHEN target_id IS NULL AND should_move THEN 'missing'
           WHEN target_id IS NOT NULL AND cardinality(different_fields) > 0 THEN 'different'
           -- Set aside once, whatever became of it since. A row that opens nothing may be new; one of the store may not.
           WHEN left_behind THEN CASE WHEN must_stay OR NOT api_known OR outcome IN ('hold', 'exception') THEN NULL ELSE 'missing' END
           WHEN should_move OR must_stay THEN CASE WHEN outcome IS NOT NULL THEN 'misjudged' END
           WHEN outcome IS NULL THEN 'missing'
           WHEN twin_expected = 'merge' THEN CASE WHEN outcome = 'merge' AND account_key_id = keeper_id THEN NULL
             -- Written down while the lives still differed; both are dead by now, which opens nothing.
             WHEN reason = 'conflicting_status' AND NOT was_alive THEN NULL ELSE 'misjudged' END
           WHEN twin_expected IN ('hold', 'exception') THEN CASE WHEN outcome = twin_expected AND reason IS NOT DISTINCT FROM twin_reason THEN NULL ELSE 'misjudged' END
           WHEN outcome NOT IN ('hold', 'exception') THEN 'misjudged' END AS fault,
      target_id IS NOT NULL AND is_alive AS opens_store
    FROM expected
  ), authorized AS (
    SELECT *,
      -- A living key of a store API must still open it: through its account key where it has one, else by itself.
      was_alive AND in_store AND (
        (target_id IS NOT NULL AND NOT (is_alive AND target_token = source_token)
          AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.token = source_token AND ${aliveT}))
        OR (target_id IS NULL AND outcome = 'merge'
          AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = account_key_id AND t.token = source_token AND ${aliveT}))) AS lost,
      opens_store AND source_id IS NOT NULL AND (NOT was_alive OR (target_token <> source_token AND NOT EXISTS (
        SELECT FROM ${l.keys} k WHERE ${l.token()} = target_token AND ${l.alive()}) AND EXISTS (
        SELECT FROM ${l.keys} k WHERE ${l.token()} = target_token))) AS revived,
      opens_store AND CASE WHEN target_token = source_token THEN target_account IS DISTINCT FROM source_account
        ELSE EXISTS (SELECT FROM ${l.keys} k WHERE ${l.token()} = target_token AND ${l.account()} IS DISTINCT FROM target_account) END AS is_foreign,
      CASE WHEN opens_store THEN (SELECT apis FROM store) - CASE WHEN target_token = source_token THEN opened
        ELSE (SELECT count(DISTINCT ${l.api()}) FROM ${l.from} WHERE ${l.token()} = target_token AND ${l.alive()} AND ${l.inStore()}) END ELSE 0 END AS gained,
      CASE WHEN should_move AND was_alive THEN (SELECT apis FROM store) - opened ELSE 0 END AS predicted
    FROM judged
  )
  SELECT count(*) FILTER (WHERE source_id IS NOT NULL) AS rows,
    count(*) FILTER (WHERE source_id IS NOT NULL AND target_id IS NOT NULL) AS compared,
    count(*) FILTER (WHERE fault = 'missing') AS missing, count(*) FILTER (WHERE fault = 'extra') AS extra,
    count(*) FILTER (WHERE fault IN ('different', 'misjudged')) AS different,
    count(*) FILTER (WHERE lost) AS lost, count(*) FILTER (WHERE revived) AS revived, count(*) FILTER (WHERE is_foreign) AS gained_foreign,
    coalesce(sum(gained), 0) AS gained_store, coalesce(sum(predicted), 0) AS predicted_gained_store,
    count(*) FILTER (WHERE behind) AS behind, count(*) FILTER (WHERE ahead) AS ahead,
    (SELECT coalesce(jsonb_agg(d), '[]') FROM (
      SELECT jsonb_build_object('key_id', id::text, 'kind', CASE WHEN fault = 'misjudged' THEN 'different' ELSE coalesce(fault,
            CASE WHEN lost THEN 'lost' WHEN revived THEN 'revived' WHEN is_foreign THEN 'gained_foreign' ELSE 'gained_store' END) END,
          'fields', CASE WHEN fault = 'misjudged' THEN '["outcome"]'::jsonb ELSE to_jsonb(different_fields) END,
          'authorization', to_jsonb(array_remove(ARRAY[CASE WHEN lost THEN 'lost' END, CASE WHEN revived THEN 'revived' END,
            CASE WHEN is_foreign THEN 'gained_foreign' END, CASE WHEN gained <> predicted THEN 'gained_store' END], NULL)),
          'counts', jsonb_build_object('rows', (source_id IS NOT NULL)::int, 'compared', (source_id IS NOT NULL AND target_id IS NOT NULL)::int,
            'missing', (fault IS NOT DISTINCT FROM 'missing')::int, 'extra', (fault IS NOT DISTINCT FROM 'extra')::int,
            'different', coalesce(fault IN ('different', 'misjudged'), false)::int, 'lost', coalesce(lost, false)::int,
            'revived', coalesce(revived, false)::int, 'gained_foreign', coalesce(is_foreign, false)::int,
            'gained_store', gained, 'predicted_gained_store', predicted)) AS d
      FROM authorized
      WHERE fault IS NOT NULL OR lost OR revived OR is_foreign OR gained <> predicted
      ORDER BY id LIMIT 1000) first) AS differences
  FROM authorized`;
}
