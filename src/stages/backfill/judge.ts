import { fewAtOnce } from '../../database/together.js';
import type { StageContext } from '../../run/context.js';
import { LOCK_LINES, settleListed, takeListed } from './listed-statements.js';

/** Judged together: many enough that the look at the tables is shared, few enough that nobody waits long for a row. */
export const PAGE_KEYS = 5_000;

/**
 * Judges the keys that no batch copied, page by page, when all ranges are done. The rows of a token are on one page,
 * so that two pages at once seldom want the same row.
 */
export async function judgeListed(context: StageContext): Promise<void> {
  const { database, options, emit } = context;
  const { rows: pages } = await database.readOnly((s) =>
    s.query<{ page: number }>('SELECT DISTINCT page FROM keylift.to_judge ORDER BY page'),
  );
  await fewAtOnce(pages, options.concurrency, async ({ page }) => {
    const keys = await judge(context, page);
    emit({
      kind: 'step',
      text: `judged ${String(keys)} keys that share their token, or whose account is missing`,
      rows: keys,
    });
  });
}

async function judge({ database, schema: { legacy: l } }: StageContext, page: number): Promise<number> {
  return database.transaction(
    async (session) => {
      const { keys } = await session.one<{ keys: string }>(settleListed(l), [page]);
      await session.query(LOCK_LINES);
      await session.query(takeListed(l), [page]);
      return Number(keys);
    },
    { name: 'backfill: decide a page of listed keys', retry: 'underLoad' },
  );
}
