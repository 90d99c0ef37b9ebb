import { fewAtOnce } from '../../database/together.js';
import type { StageContext } from '../../run/context.js';
import { PAGE_KEYS } from './judge.js';
import { listOrphans, listRepeated } from './listed-statements.js';
import { cutRanges, REMOVE_UNCUT, RETRY_FAILED } from './range-statements.js';

/** Keys per range of the ledger; a batch claims as many ranges as its size asks for. */
export const RANGE_KEYS = 5_000;

/** Cuts the keys into ranges and lists those that no batch may copy: after this, batches can be taken by anybody. */
export async function prepareRanges(context: StageContext): Promise<void> {
  const { searched } = await context.database.readOnly((s) =>
    s.one<{ searched: boolean }>('SELECT searched FROM keylift.migration'),
  );
  // All read the whole table and none needs the other; the search for repeated tokens takes as long as the other two.
  const tasks = [() => cutAndSearch(context, { searched }), ...(searched ? [] : [() => search(context, listRepeated)])];
  await fewAtOnce(tasks, context.options.concurrency, (task) => task());
  await context.database.transaction(
    async (session) => {
      if (!searched) await session.query('UPDATE keylift.migration SET searched = true');
      await session.query(RETRY_FAILED);
    },
    { name: 'backfill: open failed ranges again' },
  );
}

async function cutAndSearch(context: StageContext, { searched }: { searched: boolean }): Promise<void> {
  await cut(context);
  if (!searched) await search(context, listOrphans);
}

async function cut({ database, schema, options }: StageContext): Promise<void> {
  const keys = Math.min(options.batchSize, RANGE_KEYS);
  await database.transaction(
    async (session) => {
      const { rowCount } = await session.query(`SELECT FROM keylift.batches WHERE state = 'uncut'`);
      if (rowCount === 0) return;
      await session.query(cutRanges(schema.legacy), [keys]);
      await session.query(REMOVE_UNCUT);
    },
    { name: 'backfill: cut the keys into ranges', retry: 'underLoad' },
  );
}

async function search({ database, schema }: StageContext, list: typeof listRepeated): Promise<void> {
  await database.transaction(
    async (session) => {
      await session.query(`SET LOCAL work_mem = '64MB'`);
      await session.query(list(schema), [PAGE_KEYS]);
    },
    { name: 'backfill: list keys for later' },
  );
}
