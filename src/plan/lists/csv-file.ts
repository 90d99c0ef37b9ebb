import type { ReadSession } from '../../database/session.js';
import { forCsv } from '../../escaping.js';
import type { Output } from '../../files/placement.js';
import { writeFile } from '../../files/write.js';

/** Rows that are in memory at once. */
const PAGE = 2_000;

/** A list that `plan` wrote. */
export interface WrittenList {
  file: string;
  /** Rows below the header. */
  keys: number;
}

export interface CsvList<Column extends string> {
  output: Output;
  header: readonly Column[];
  /** A SELECT whose columns have the names of the header; every value is text or null. */
  select: string;
  values: readonly unknown[];
  stop: AbortSignal;
}

/**
 * Writes the rows of a SELECT as a CSV file. A cursor delivers them page by page, so that memory is constant: without an
 * index that begins with the account, each page by keyset would read the whole table.
 *
 * @throws the error of the output; an AbortError when `stop` is signalled, and then the file is as it was
 */
export async function writeCsv<Column extends string>(
  session: ReadSession,
  { output, header, select, values, stop }: CsvList<Column>,
): Promise<WrittenList> {
  // All rows are fetched, so a plan that returns the first rows early has no advantage.
  await session.query(`SET LOCAL cursor_tuple_fraction = 1; SET LOCAL work_mem = '64MB'`);
  await session.query(`DECLARE keylift_list NO SCROLL CURSOR FOR ${select}`, values);
  const keys = await writeFile(output, async (append) => {
    await append(forCsv(header));
    for (let written = 0; ;) {
      stop.throwIfAborted();
      const { rows } = await session.query<Record<Column, string | null>>(`FETCH ${String(PAGE)} FROM keylift_list`);
      if (rows.length === 0) return written;
      await append(rows.map((row) => forCsv(header.map((column) => row[column]))).join(''));
      written += rows.length;
    }
  });
  await session.query('CLOSE keylift_list');
  return { file: output.file, keys };
}
