import type { LegacyFragments } from '../../legacy/fragments.js';
import { heldByName, settledByItself } from '../../legacy/rules.js';
import type { StageContext } from '../context.js';
import { underLoad } from '../../database/under-load.js';

const PAGE = 2_000;

/** Rows without an account key and without a reason, account keys without a row. Done means this comes back empty. */
const unaccounted = (l: LegacyFragments): string => `
  SELECT ${l.id}::text AS key_id FROM ${l.from}
  WHERE ${l.isPerApiKey} AND ${settledByItself(l)} IS DISTINCT FROM 'stay'
    AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id} AND t.origin_api_id IS NOT NULL)
    AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id})
  UNION ALL
  SELECT t.id::text FROM ${l.target} t
  WHERE t.origin_api_id IS NOT NULL AND NOT EXISTS (SELECT FROM ${l.keys} k WHERE ${l.id} = t.id AND ${l.isPerApiKey})`;

/** What time or a new list of holds may have changed: all that was set aside, and account keys now held. */
const worthJudgingAgain = (l: LegacyFragments, { holds }: { holds: boolean }): string => `
  SELECT x.key_id::text AS key_id FROM keylift.outcomes x
  ${holds ? nowHeld(l) : ''}`;

const nowHeld = (l: LegacyFragments): string => `UNION SELECT ${l.id}::text FROM ${l.keys} k JOIN ${l.target} t ON t.id = ${l.id}
  WHERE t.origin_api_id IS NOT NULL AND ${heldByName(l, { from: 'ledger' })}`;

const settlePage = (l: LegacyFragments, idType: string): string => `
  SELECT keylift.settle(array_agg(given.id), coalesce(array_agg(DISTINCT seen.token) FILTER (WHERE length(seen.token) > 0), '{}'))
  FROM unnest($1::text[]::${idType}[]) AS given (id)
  LEFT JOIN LATERAL (SELECT ${l.token} AS token FROM ${l.keys} k WHERE ${l.id} = given.id
    UNION SELECT t.token FROM ${l.target} t WHERE t.id = given.id) seen ON true`;

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
  const { database, schema, progress, stop } = context;
  await judgeAgain(context);
  let settled = 0;
  for (let round = 1; ; round += 1) {
    stop.throwIfAborted();
    const { rowCount } = await database.readOnly((s) => s.query(`${unaccounted(schema.legacy)} LIMIT 1`));
    if (rowCount === 0) return settled;
    if (round > 20) throw new Error('the sweep does not come to an end: keys stay unaccounted for');
    const found = await settleAll(context, unaccounted(schema.legacy));
    progress.note(`swept ${String(found)} keys that were written past the mirror`);
    settled += found;
  }
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
      { stop, onWait: (reason) => { progress.waiting(reason); } });
  }
}
