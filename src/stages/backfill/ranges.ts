import { allDone } from '../../engine/together.js';
import type { StageContext } from '../context.js';
import { underLoad } from '../../database/under-load.js';
import { RETRY_FAILED } from './failures.js';
import { cutRanges, findRepeated, REMOVE_UNCUT, settleRepeated } from './statements.js';

/** Keys per range of the ledger; a batch claims as many ranges as its size asks for. */
export const RANGE_KEYS = 5_000;
/** Judged together: the look at the tables costs about the same for few and for many. */
const TWINS_PER_PAGE = 10_000;

/** Cuts the keys into ranges and judges all repeated tokens: after this, batches can be taken by anybody. */
export async function prepareRanges(context: StageContext): Promise<void> {
  const { judged } = await context.database.readOnly((s) => s.one<{ judged: boolean }>('SELECT twins_judged AS judged FROM keylift.migration'));
  // Both read the whole table and neither needs the other.
  await allDone([cut(context), judged ? Promise.resolve() : searchRepeated(context)]);
  if (!judged) await settleAllRepeated(context);
  await context.database.transaction((session) => session.query(RETRY_FAILED));
}

async function cut({ database, schema, options, progress, stop }: StageContext): Promise<void> {
  const keys = Math.min(options.batchSize, RANGE_KEYS);
  await underLoad(database, async (session) => {
    const { rowCount } = await session.query(`SELECT FROM keylift.batches WHERE state = 'uncut'`);
    if (rowCount === 0) return;
    await session.query(cutRanges(schema.legacy), [keys]);
    await session.query(REMOVE_UNCUT);
  }, { stop, onWait: progress.waiting });
}

async function searchRepeated({ database, schema }: StageContext): Promise<void> {
  await database.transaction((session) => session.query(findRepeated(schema.legacy)));
}

async function settleAllRepeated({ database, schema, stop, progress }: StageContext): Promise<void> {
  for (;;) {
    stop.throwIfAborted();
    const { keys } = await underLoad(database, (session) =>
      session.one<{ keys: string }>(settleRepeated(schema.legacy), [TWINS_PER_PAGE]), { stop, onWait: progress.waiting });
    if (keys === '0') break;
    progress.note(`judged ${keys} keys that share their token`, Number(keys));
  }
  await database.transaction((session) => session.query('UPDATE keylift.migration SET twins_judged = true'));
}
