import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { UsageError } from '../../errors.js';
import { readDecision, type Decision, type LineFault, type ValueTypes } from './decision.js';

/** A token, a slug and a word; whatever is longer is no decision, and is not kept in memory either. */
export const MAX_LINE_BYTES = 64 * 1024;
/** Decisions judged by one statement: by number, and by their bytes. */
const PAGE_LINES = 20_000;
const PAGE_BYTES = 4 * 1024 * 1024;

const NEWLINE = 0x0a;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

/** Some lines of a file, read: decisions in their order, and what could not be read. */
export interface Page {
  decisions: Decision[];
  faults: LineFault[];
  /** Lines that held anything at all. */
  lines: number;
}

/** One line's bytes without its end; null for one that is too long. */
type Line = Buffer | null;

/** @throws UsageError `replay_unreadable`: asked before the proof, which may take minutes. */
export async function checkReplayFile(file: string): Promise<void> {
  try {
    const handle = await open(file, 'r');
    try {
      if ((await handle.stat()).isDirectory()) throw unreadable(file, 'is a folder');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw unreadable(file, REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? 'cannot be read', error);
  }
}

const REASONS: Record<string, string> = { ENOENT: 'does not exist', ENOTDIR: 'does not exist', EACCES: 'may not be read by this user' };

const unreadable = (file: string, reason: string, cause?: unknown): UsageError =>
  new UsageError('replay_unreadable', `the file of decisions ${file} ${reason}`, {
    facts: { file }, ...(cause === undefined ? {} : { cause }), hint: 'Name a file with one JSON object a line.', anchor: 'replay',
  });

/** The file page by page, in memory that does not grow with it: the next page is read when this one is dealt with. */
export async function* readPages(file: string, types: ValueTypes): AsyncGenerator<Page> {
  let page: Page = { decisions: [], faults: [], lines: 0 };
  let bytes = 0;
  let number = 0;
  for await (const lines of splitLines(createReadStream(file, { highWaterMark: 256 * 1024 }))) {
    for (const line of lines) {
      number += 1;
      takeLine(page, line, { number, types });
      bytes += line?.length ?? 0;
      if (page.lines >= PAGE_LINES || bytes >= PAGE_BYTES) {
        yield page;
        page = { decisions: [], faults: [], lines: 0 };
        bytes = 0;
      }
    }
  }
  if (page.lines > 0) yield page;
}

function takeLine(page: Page, line: Line, { number, types }: { number: number; types: ValueTypes }): void {
  const bytes = number === 1 && line?.subarray(0, 3).equals(BOM) === true ? line.subarray(3) : line;
  const text = bytes === null ? undefined : isUtf8(bytes) ? bytes.toString('utf8') : null;
  if (text?.trim() === '') return;
  page.lines += 1;
  if (text === undefined) page.faults.push({ line: number, reason: `longer than ${String(MAX_LINE_BYTES)} bytes` });
  else if (text === null) page.faults.push({ line: number, reason: 'not valid UTF-8' });
  else {
    const { decision, fault } = readDecision(text, number, types);
    if (decision === undefined) page.faults.push({ line: number, reason: fault });
    else page.decisions.push(decision);
  }
}

/** Lines of a stream of bytes, a chunk's at once; what is left behind the last newline is one, too. A carriage return is space to JSON. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line[]> {
  let parts: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    // Of a line that is too long only that much is known.
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  const take = (): Line => {
    const line = length > MAX_LINE_BYTES ? null : parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    parts = [];
    length = 0;
    return line;
  };
  for await (const chunk of chunks) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      add(chunk.subarray(from, end));
      lines.push(take());
      from = end + 1;
    }
    // A copy, so that the rest of a line does not keep its whole chunk.
    if (from < chunk.length) add(Buffer.from(chunk.subarray(from)));
    yield lines;
  }
  if (length > 0) yield [take()];
}
