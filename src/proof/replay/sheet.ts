import { copyField } from '../../database/copy-field.js';
import type { WriteSession } from '../../database/session.js';
import { makeTemporary } from '../temporary.js';
import type { Decision } from './decision.js';
import type { Page } from './lines.js';

/** Decisions judged by one statement: by number, and by their bytes. */
const SHEET_LINES = 20_000;
const SHEET_BYTES = 4 * 1024 * 1024;

/** One sheet's decisions, for the length of one transaction. */
export const SHEET = 'pg_temp.keylift_decisions';

const MAKE_SHEET = 'keylift_decisions (line bigint, token text, key_id text, api text, allowed boolean)';

const COPY_SHEET = `COPY ${SHEET} (line, token, key_id, api, allowed) FROM STDIN`;

/**
 * Copies the next decisions into `SHEET`, as many as one statement shall judge; nothing else may be written after it.
 *
 * @param onPage told of each page as it is taken
 * @returns how many; 0 where none are left, and perhaps where none could be read
 * @throws `temporary_tables`
 */
export async function fillSheet(
  session: WriteSession,
  pages: AsyncIterator<Page>,
  onPage: (page: Page) => void,
): Promise<number> {
  await makeTemporary(session, MAKE_SHEET);
  await session.query('SET TRANSACTION READ ONLY');
  let decisions = 0;
  await session.copyIn(
    COPY_SHEET,
    sheetOf(pages, (page) => {
      decisions += page.decisions.length;
      onPage(page);
    }),
  );
  return decisions;
}

async function* sheetOf(pages: AsyncIterator<Page>, onPage: (page: Page) => void): AsyncGenerator<string> {
  for (let lines = 0, bytes = 0; lines < SHEET_LINES && bytes < SHEET_BYTES;) {
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
