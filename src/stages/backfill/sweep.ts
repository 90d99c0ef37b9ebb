import { fewAtOnce } from '../../database/together.js';
import { chunksBetween } from '../../mapping/chunks.js';
import { countedEnds } from '../../ledger/counted.js';
import type { StageContext } from '../../run/context.js';
import { countUnaccounted, settlePage, unaccounted, worthSettlingAgain } from './sweep-statements.js';

const PAGE = 10_000;

/** Keys a chunk of the count. */
const CHUNK_KEYS = 250_000;

/** Judges again what time or a new list of holds may have changed. Rows nobody accounts for are the proof's to find. */
export async function judgeAgain(context: StageContext): Promise<void> {
  const { database, schema } = context;
  const { holds } = await database.readOnly((s) =>
    s.one<{ holds: boolean }>('SELECT EXISTS (SELECT FROM keylift.holds) AS holds'),
  );
  await settleAll(context, worthSettlingAgain(schema.legacy, { holds }));
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
      { name: 'sweep: decide a page of keys again', retry: 'underLoad' },
    );
  }
}
