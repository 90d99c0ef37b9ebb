import { copiedColumns } from '../../legacy/copy.js';
import type { LegacyFragments } from '../../legacy/fragments.js';
import { heldByName, settledByItself } from '../../legacy/rules.js';
import type { StageContext } from '../context.js';
import { underLoad } from '../../database/under-load.js';

const PAGE = 10_000;

/** Rows without an account key and without a reason, account keys without a row. Done means this comes back empty. */
const unaccounted = (l: LegacyFragments): string => `
  SELECT ${l.id}::text AS key_id FROM ${l.from}
  WHERE ${l.isPerApiKey} AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id} AND t.origin_api_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id})
  UNION ALL
  SELECT t.id::text FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id} = t.id AND ${l.isPerApiKey})`;

/**
 * The same question as a count, in one pass that PostgreSQL can share among its workers: source rows nobody accounts
 * for, and account keys beyond those that have a source row.
 */
const countUnaccounted = (l: LegacyFragments): string => `
  /* counting what is not accounted for */
  SELECT count(*) FILTER (WHERE t.id IS NULL AND x.key_id IS NULL AND ${staysNot(l)})
    + (SELECT count(*) FROM ${l.target} WHERE origin_api_id IS NOT NULL) - count(t.id) AS keys
  FROM ${l.apiNeedsAccount ? l.from : `${l.keys} k LEFT JOIN ${l.apis} a ON ${l.apiId} = ${l.api}`}
    LEFT JOIN (SELECT id FROM ${l.target} WHERE origin_api_id IS NOT NULL) t ON t.id = ${l.id}
    LEFT JOIN keylift.outcomes x ON x.key_id = ${l.id}
  WHERE ${l.isPerApiKey}`;

const staysNot = (l: LegacyFragments): string => `(${l.apiId} IS NULL OR ${l.inStore})`;

/** What time, a new list of holds or another table may have changed: all that was set aside, and account keys that differ now. */
const worthJudgingAgain = (l: LegacyFragments, { holds }: { holds: boolean }): string => `
  SELECT x.key_id::text AS key_id FROM keylift.outcomes x
  ${holds ? nowHeld(l) : ''} ${changedElsewhere(l)}`;

/** A hold spreads over its key's token: the key that is named may be a custom API's, and the one that moved its twin. */
const nowHeld = (l: LegacyFragments): string => `UNION SELECT ${l.id}::text FROM ${l.keys} k JOIN ${l.target} t ON t.token = ${l.token}
  WHERE t.origin_api_id IS NOT NULL AND ${l.isPerApiKey} AND ${heldByName(l, { from: 'ledger' })}`;

/** An expression may look at other tables, such as the one that says who owns a key, whose changes no trigger sees. */
function changedElsewhere(l: LegacyFragments): string {
  const computed = copiedColumns(l).filter(({ source }) => !/^k\."(?:[^"]|"")+"$/.test(source) && !source.startsWith('NULL::'));
  if (computed.length === 0) return '';
  return `UNION SELECT t.id::text FROM ${l.target} t JOIN ${l.keys} k ON ${l.id} = t.id WHERE t.origin_api_id IS NOT NULL
    AND record_image_ne(ROW(${computed.map((c) => `t.${c.target}`).join(', ')}), ROW(${computed.map((c) => c.source).join(', ')}))`;
}

/** Judges these keys; their rows are locked first, see `settleRepeated`. */
const settlePage = (l: LegacyFragments, idType: string): string => `
  /* settling what was not accounted for */
  WITH held AS MATERIALIZED (
    SELECT ${l.token} AS token FROM ${l.keys} k WHERE ${l.id} = ANY ($1::text[]::${idType}[]) ORDER BY ${l.id} FOR NO KEY UPDATE OF k
  )
  SELECT keylift.settle($1::text[]::${idType}[], (
    SELECT coalesce(array_agg(DISTINCT seen.token) FILTER (WHERE length(seen.token) > 0), '{}')
    FROM (SELECT token FROM held UNION SELECT t.token FROM ${l.target} t WHERE t.id = ANY ($1::text[]::${idType}[])) seen))`;

/** Judges again what time or a new list of holds may have changed. Rows nobody accounts for are the proof's to find. */
export async function judgeAgain(context: StageContext): Promise<void> {
  const { database, schema } = context;
  const { holds } = await database.readOnly((s) => s.one<{ holds: boolean }>('SELECT EXISTS (SELECT FROM keylift.holds) AS holds'));
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
  const { schema, progress, stop } = context;
  let settled = 0;
  for (let round = 1; ; round += 1) {
    stop.throwIfAborted();
    if (await isAllAccountedFor(context)) return settled;
    if (round > 20) throw new Error('the sweep does not come to an end: keys stay unaccounted for');
    const found = await settleAll(context, unaccounted(schema.legacy));
    progress.note(`swept ${String(found)} keys that were written past the mirror`, found);
    settled += found;
  }
}

async function isAllAccountedFor({ database, schema }: StageContext): Promise<boolean> {
  return database.readOnly(async (session) => {
    await session.query(`SET LOCAL work_mem = '64MB'`);
    return (await session.one<{ keys: string }>(countUnaccounted(schema.legacy))).keys === '0';
  });
}

async function settleAll(context: StageContext, statement: string): Promise<number> {
  const { rows } = await context.database.readOnly((s) => s.query<{ key_id: string }>(statement));
  await settleKeys(context, rows.map((row) => row.key_id));
  return rows.length;
}

/** Judges these keys anew, with all that share their tokens, page by page. */
export async function settleKeys({ database, schema, stop, progress }: StageContext, ids: string[]): Promise<void> {
  for (let at = 0; at < ids.length; at += PAGE) {
    await underLoad(database, (session) => session.query(settlePage(schema.legacy, schema.types.id), [ids.slice(at, at + PAGE)]),
      { stop, onWait: progress.waiting });
  }
}
