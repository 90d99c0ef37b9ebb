import { isUtf8 } from 'node:buffer';
import { open, type FileHandle } from 'node:fs/promises';
import { keyliftError, KeyliftError } from '../../errors/keylift-error.js';
import { readDecision, type Decision, type LineFault, type ValueTypes } from './decision.js';

/** A token, a slug and a word; whatever is longer is no decision, and is not kept in memory either. */
export const MAX_LINE_BYTES = 64 * 1024;
/** What is read at once. */
const CHUNK_BYTES = 16 * 1024;

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

/** @throws `replay_unreadable`: asked before the proof, which may take minutes. */
export async function checkReplayFile(file: string): Promise<void> {
  try {
    const handle = await open(file, 'r');
    try {
      if ((await handle.stat()).isDirectory()) throw unreadable(file, 'is a folder');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof KeyliftError) throw error;
    throw unreadable(file, REASONS[(error as NodeJS.ErrnoException).code ?? ''] ?? 'cannot be read', error);
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EACCES: 'may not be read by this user',
};

const unreadable = (file: string, reason: string, cause?: unknown): KeyliftError =>
  keyliftError('replay_unreadable', {
    message: `the replay file ${file} ${reason}`,
    facts: { file },
    ...(cause === undefined ? {} : { cause }),
  });

/**
 * The file a chunk at a time, in memory that does not grow with it: the next chunk is read, into the same bytes, when
 * the page made of this one is dealt with.
 */
export async function* readPages(file: string, types: ValueTypes): AsyncGenerator<Page> {
  const handle = await open(file, 'r');
  try {
    let number = 0;
    for await (const lines of splitLines(handle)) {
      const page: Page = { decisions: [], faults: [], lines: 0 };
      for (const line of lines) {
        number += 1;
        takeLine(page, line, { number, types });
      }
      if (page.lines > 0) yield page;
    }
  } finally {
    await handle.close();
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
async function* splitLines(handle: FileHandle): AsyncGenerator<Line[]> {
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
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
  for (let read = await fill(handle, chunk); read.length > 0; read = await fill(handle, chunk)) {
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

const fill = async (handle: FileHandle, chunk: Buffer): Promise<Buffer> =>
  chunk.subarray(0, (await handle.read(chunk)).bytesRead);
