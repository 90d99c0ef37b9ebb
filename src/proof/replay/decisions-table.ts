import type { Database } from '../../database/connect.js';
import { copyField } from '../../database/copy-field.js';
import type { ReadSession } from '../../database/session.js';
import { withTemporaryRows } from '../../database/temporary-rows.js';
import type { Decision } from './decision.js';
import type { Page } from './lines.js';

/** Decisions compared by one statement: by number, and by their bytes. */
const MOST_LINES = 20_000;
const MOST_BYTES = 4 * 1024 * 1024;

const TABLE = 'keylift_decisions';

/** The next decisions of the file, for the length of one transaction. */
export const DECISIONS = `pg_temp.${TABLE}`;

/**
 * Runs `fn` with the next decisions in `DECISIONS`, as many as one statement can compare; not where there are none.
 *
 * @param onPage gets each page as it is read
 * @returns the number of decisions; 0 at the end, and where no line of these pages could be read
 * @throws `temporary_tables`
 */
export async function withDecisions(
  database: Database,
  { pages, onPage }: { pages: AsyncIterator<Page>; onPage: (page: Page) => void },
  fn: (session: ReadSession) => Promise<void>,
): Promise<number> {
  let decisions = 0;
  const rows = nextRows(pages, (page) => {
    decisions += page.decisions.length;
    onPage(page);
  });
  const columns = { line: 'bigint', token: 'text', key_id: 'text', api: 'text', allowed: 'boolean' };
  await withTemporaryRows(
    database,
    { table: TABLE, columns, rows },
    async (session) => {
      if (decisions > 0) await fn(session);
    },
    { name: 'replay: compare decisions', isolation: 'repeatable read' },
  );
  return decisions;
}

async function* nextRows(pages: AsyncIterator<Page>, onPage: (page: Page) => void): AsyncGenerator<string> {
  for (let lines = 0, bytes = 0; lines < MOST_LINES && bytes < MOST_BYTES;) {
    const { done, value: page } = await pages.next();
    if (done === true) return;
    onPage(page);
    const text = page.decisions.map(copyLine).join('');
    lines += page.lines;
    bytes += text.length;
    if (text !== '') yield text;
  }
}

/** A decision in COPY's text format. */
const copyLine = ({ line, token, keyId, api, allowed }: Decision): string =>
  `${String(line)}\t${copyField(token)}\t${copyField(keyId)}\t${copyField(api)}\t${allowed ? 't' : 'f'}\n`;
