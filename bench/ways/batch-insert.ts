import knexFactory from 'knex';
import type { Copy } from '../arena.js';
import { prepareBatchInsert } from './offline.js';

const PAGE = 20_000;
const ROWS_A_STATEMENT = 1_000;

/**
 * What a hand-written script does: pages of rows into JavaScript, and out again by knex in statements of 1,000.
 * Seconds.
 */
export async function batchInsert(copy: Copy): Promise<number> {
  const { select, table } = await prepareBatchInsert(copy);
  const knex = knexFactory({ client: 'pg', connection: copy.url });
  try {
    const started = performance.now();
    let last = '0';
    for (;;) {
      const { rows } = await knex.raw<{ rows: { id: string }[] }>(
        `${select} AND k.id > ? ORDER BY k.id LIMIT ${String(PAGE)}`,
        [last],
      );
      if (rows.length === 0) return (performance.now() - started) / 1000;
      await knex.batchInsert(table, rows, ROWS_A_STATEMENT);
      last = rows.at(-1)!.id;
    }
  } finally {
    await knex.destroy();
  }
}
