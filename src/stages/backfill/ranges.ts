import { fewAtOnce } from '../../database/together.js';
import type { StageContext } from '../../run/context.js';
import { listDuplicates, listKeysWithoutAccount } from './listed-statements.js';
import { cutRanges, RETRY_FAILED } from './range-statements.js';

/** Keys per range of the ledger; a batch claims as many ranges as its size asks for. */
export const RANGE_KEYS = 5_000;

/** Listed keys that are decided together. */
export const PAGE_KEYS = 5_000;

/**
 * Cuts the keys into ranges and lists the keys that no batch copies. The change log is in place before, so every change
 * that these statements do not see is in it.
 */
export async function prepareRanges(context: StageContext): Promise<void> {
  const { searched } = await context.database.readOnly((s) =>
    s.one<{ searched: boolean }>('SELECT searched FROM keylift.migration'),
  );
  const [list, cutAndList] = [
    () => search(context, listDuplicates),
    async () => {
      await cut(context);
      if (!searched) await search(context, listKeysWithoutAccount);
    },
  ];
  await fewAtOnce(searched ? [cutAndList] : [list, cutAndList], context.options.concurrency, (task) => task());
  await context.database.transaction(
    async (session) => {
      if (!searched) await session.query('UPDATE keylift.migration SET searched = true');
      await session.query(RETRY_FAILED);
    },
    { name: 'backfill: open failed ranges again' },
  );
}

async function cut({ database, schema, options }: StageContext): Promise<void> {
  const keys = Math.min(options.batchSize, RANGE_KEYS);
  await database.transaction(
    async (session) => {
      const { cut: done } = await session.one<{ cut: boolean }>(
        `SELECT EXISTS (SELECT FROM keylift.batches b JOIN keylift.migration m ON m.attempt = b.attempt) AS cut`,
      );
      if (!done) await session.query(cutRanges(schema.legacy), [keys]);
    },
    { name: 'backfill: cut the keys into ranges', retry: 'underLoad' },
  );
}

async function search({ database, schema }: StageContext, list: typeof listDuplicates): Promise<void> {
  await database.transaction(
    async (session) => {
      await session.query(`SET LOCAL work_mem = '64MB'`);
      await session.query(list(schema), [PAGE_KEYS]);
    },
    { name: 'backfill: list keys for later' },
  );
}
