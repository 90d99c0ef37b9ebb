import { fewAtOnce } from '../../database/together.js';
import { chunksBetween, rowsInRange } from '../../mapping/chunks.js';
import { copiedColumns } from '../../mapping/copy.js';
import type { LegacyFragments } from '../../mapping/fragments.js';
import { heldByName, settledByItself } from '../../mapping/rules/verdicts.js';
import { countedEnds } from '../../ledger/counted.js';
import type { StageContext } from '../../run/context.js';

const PAGE = 10_000;

/** Rows without an account key and without a reason, account keys without a row. Done means this comes back empty. */
const unaccounted = (l: LegacyFragments): string => `
  SELECT ${l.id()}::text AS key_id FROM ${l.from}
  WHERE ${l.isPerApiKey()} AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
  UNION ALL
  SELECT t.id::text FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id()} = t.id AND ${l.isPerApiKey()})`;

/** Keys a chunk of the count. */
const CHUNK_KEYS = 250_000;

/**
 * The same question as a count over one chunk: source rows nobody accounts for, and account keys without a source row.
 * What has no account key is seldom and asked for its API and its outcome row by row.
 */
const countUnaccounted = (l: LegacyFragments, idType: string): string => {
  const source = l.apiNeedsAccount
    ? `SELECT ${l.id()} AS key_id, ${l.apiId()} IS NOT NULL AND NOT ${l.inStore()} AS stays FROM ${l.from}`
    : `SELECT ${l.id()} AS key_id, ${l.api()} AS api FROM ${l.keys} k`;
  const stays = l.apiNeedsAccount
    ? 's.stays'
    : `(s.api IN (SELECT ${l.apiId()} FROM ${l.apis} a WHERE NOT ${l.inStore()})) IS TRUE`;
  return `
  /* counting what is not accounted for */
  SELECT count(*) FILTER (WHERE CASE WHEN s.key_id IS NULL THEN true WHEN t.id IS NOT NULL THEN false
    ELSE NOT ${stays} AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = s.key_id) END) AS keys
  FROM (${source} WHERE ${rowsInRange(l.id(), idType)} AND ${l.isPerApiKey()}) s
    FULL JOIN (SELECT t.id FROM ${l.target} t WHERE ${rowsInRange('t.id', idType)} AND t.origin_api_id IS NOT NULL) t ON t.id = s.key_id`;
};

/** What time, a new list of holds or another table may have changed: all that was set aside, and account keys that differ now. */
const worthJudgingAgain = (l: LegacyFragments, { holds }: { holds: boolean }): string => `
  SELECT x.key_id::text AS key_id FROM keylift.outcomes x
  ${holds ? nowHeld(l) : ''} ${changedElsewhere(l)}`;

/** A hold spreads over its key's token: the key that is named may be a custom API's, and the one that moved its twin. */
const nowHeld = (
  l: LegacyFragments,
): string => `UNION SELECT ${l.id()}::text FROM ${l.keys} k JOIN ${l.target} t ON t.token = ${l.token()}
  WHERE t.origin_api_id IS NOT NULL AND ${l.isPerApiKey()} AND ${heldByName(l, { from: 'ledger' })}`;

/** An expression may look at other tables, such as the one that says who owns a key, whose changes no trigger sees. */
function changedElsewhere(l: LegacyFragments): string {
  const computed = copiedColumns(l).filter(({ computed: byExpression }) => byExpression);
  if (computed.length === 0) return '';
  return `UNION SELECT t.id::text FROM ${l.target} t JOIN ${l.keys} k ON ${l.id()} = t.id WHERE t.origin_api_id IS NOT NULL
    AND record_image_ne(ROW(${computed.map((c) => `t.${c.target}`).join(', ')}), ROW(${computed.map((c) => c.source).join(', ')}))`;
}

/** Judges these keys; their rows are locked first, see `judgePage`. */
const settlePage = (l: LegacyFragments, idType: string): string => `
  /* settling what was not accounted for */
  WITH held AS MATERIALIZED (
    SELECT ${l.token()} AS token FROM ${l.keys} k WHERE ${l.id()} = ANY ($1::text[]::${idType}[]) ORDER BY ${l.id()} FOR NO KEY UPDATE OF k
  )
  SELECT keylift.settle($1::text[]::${idType}[], (
    SELECT coalesce(array_agg(DISTINCT seen.token) FILTER (WHERE length(seen.token) > 0), '{}')
    FROM (SELECT token FROM held UNION SELECT t.token FROM ${l.target} t WHERE t.id = ANY ($1::text[]::${idType}[])) seen))`;

/** Judges again what time or a new list of holds may have changed. Rows nobody accounts for are the proof's to find. */
export async function judgeAgain(context: StageContext): Promise<void> {
  const { database, schema } = context;
  const { holds } = await database.readOnly((s) =>
    s.one<{ holds: boolean }>('SELECT EXISTS (SELECT FROM keylift.holds) AS holds'),
  );
  await settleAll(context, worthJudgingAgain(schema.legacy, { holds }));
}

/**
 * The backfill's last look: settles whatever is unaccounted for, until nothing is. The mirror and the batches leave
 * nothing behind by themselves; what is found here was written past them (triggers disabled, a session that
 * began before the mirror).
 *
 * @returns keys settled.
 */
export async function sweep(context: StageContext): Promise<number> {
  const { schema, emit } = context;
  let settled = 0;
  for (let round = 1; ; round += 1) {
    if (await isAllAccountedFor(context)) return settled;
    if (round > 20) throw new Error('the sweep does not come to an end: keys stay unaccounted for');
    const found = await settleAll(context, unaccounted(schema.legacy));
    emit({ kind: 'step', text: `swept ${String(found)} keys that were written past the mirror`, rows: found });
    settled += found;
  }
}

/** Chunk by chunk, so that no snapshot is held for long, and the cores share the work. */
async function isAllAccountedFor({ database, schema, options }: StageContext): Promise<boolean> {
  const { legacy: l, types } = schema;
  const chunks = chunksBetween(await database.readOnly((s) => countedEnds(s, CHUNK_KEYS)));
  const left = await fewAtOnce(chunks, options.concurrency, (chunk) =>
    database.readOnly(async (session) => {
      // Both tables hand their rows on in the order of their ids, which costs half of what hashing them does.
      await session.query(`SET LOCAL work_mem = '64MB'; SET LOCAL enable_hashjoin = off`);
      return (await session.one<{ keys: string }>(countUnaccounted(l, types.id), chunk)).keys !== '0';
    }),
  );
  return !left.includes(true);
}

async function settleAll(context: StageContext, statement: string): Promise<number> {
  const { rows } = await context.database.readOnly((s) => s.query<{ key_id: string }>(statement));
  await settleKeys(
    context,
    rows.map((row) => row.key_id),
  );
  return rows.length;
}

/** Judges these keys anew, with all that share their tokens, page by page. */
export async function settleKeys({ database, schema }: StageContext, ids: string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += PAGE) {
    await database.transaction(
      (session) => session.query(settlePage(schema.legacy, schema.types.id), [ids.slice(at, at + PAGE)]),
      { retry: 'underLoad' },
    );
  }
}
