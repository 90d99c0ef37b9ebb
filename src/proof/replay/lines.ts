import { isUtf8 } from 'node:buffer';
import { checkInput, readChunks, type Input } from '../../files/read.js';
import { readDecision, type Decision, type LineFault, type ValueTypes } from './decision.js';

/** A token, a slug and a word; whatever is longer is no decision, and is not kept in memory either. */
export const MAX_LINE_BYTES = 64 * 1024;

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

const inputOf = (file: string): Input => ({ file, what: 'the replay file', code: 'replay_unreadable' });

/** Refuses a file that cannot be read before the proof begins, which may take minutes. @throws `replay_unreadable` */
export const checkReplayFile = (file: string): Promise<void> => checkInput(inputOf(file));

/**
 * Reads the file chunk by chunk, in memory that does not grow with it: the next chunk is read when the page of this one
 * has been used. The signal counts for each chunk, as a line of any length fills no page.
 *
 * @throws `replay_unreadable`
 */
export async function* readPages(
  file: string,
  { types, stop }: { types: ValueTypes; stop?: AbortSignal | undefined },
): AsyncGenerator<Page> {
  let number = 0;
  for await (const lines of splitLines(readChunks(inputOf(file)))) {
    stop?.throwIfAborted();
    const page: Page = { decisions: [], faults: [], lines: 0 };
    for (const line of lines) {
      number += 1;
      takeLine(page, line, { number, types });
    }
    if (page.lines > 0) yield page;
  }
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

/** A file's lines, a chunk's at once; what is left behind the last newline is one, too. A carriage return is space to JSON. */
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
  for await (const read of chunks) {
    const lines: Line[] = [];
    let from = 0;
    for (let end = read.indexOf(NEWLINE); end !== -1; end = read.indexOf(NEWLINE, from)) {
      add(read.subarray(from, end));
      lines.push(take());
      from = end + 1;
    }
    // A copy, as the next chunk comes into the same bytes.
    if (from < read.length) add(Buffer.from(read.subarray(from)));
    yield lines;
  }
  if (length > 0) yield [take()];
}
