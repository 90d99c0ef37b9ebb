import { constants, type Stats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { ErrorCode } from '../errors/catalogue.js';
import { keyliftError } from '../errors/keylift-error.js';
import { decodeUtf8, type TextOfBytes } from './utf8.js';

/*
 * Every file that keylift reads is read here: plain files only, in memory that the caller limits. Opening a pipe or a
 * device could wait for ever, and no signal would end it.
 */

/** A file that the operator named, and the error if it cannot be read. */
export interface Input {
  file: string;
  /** What the file is, for the message: `the holds file`. */
  what: string;
  code: ErrorCode;
  /** Further facts of the error. */
  facts?: Readonly<Record<string, unknown>>;
}

/** An input that is read whole; a larger one is refused. */
export interface WholeInput extends Input {
  maxMiB: number;
}

const MIB = 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** Reads a text: strict UTF-8 without NUL; a byte order mark is removed. @throws the error of the input */
export const readText = (input: WholeInput): Promise<string> => reading(input, () => textOf(input.file, input.maxMiB));

/** Reads a text, or says why that fails as the rest of a sentence: `does not exist`. */
export const textOrFault = (file: string, maxMiB: number): Promise<TextOfBytes> =>
  textOf(file, maxMiB).then((text) => ({ text }), faultOf);

/** Reads bytes, or says why that fails as the rest of a sentence. */
export const bytesOrFault = (
  file: string,
  maxMiB: number,
): Promise<{ bytes: Buffer; fault?: undefined } | { bytes?: undefined; fault: string }> =>
  bytesOf(file, maxMiB).then((bytes) => ({ bytes }), faultOf);

/** Reads a file of any size. A chunk is valid until the next one is read. @throws the error of the input */
export async function* readChunks(input: Input): AsyncGenerator<Buffer> {
  const handle = await reading(input, () => openFile(input.file));
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    for (;;) {
      const read = await reading(input, () => nextChunk(handle, chunk));
      if (read.length === 0) return;
      yield read;
    }
  } finally {
    await handle.close();
  }
}

/** Refuses a file that cannot be read, before other work begins. @throws the error of the input */
export const checkInput = (input: Input): Promise<void> =>
  reading(input, async () => {
    await (await openFile(input.file)).close();
  });

/** What is there in place of a plain file. */
export const kindOf = (stats: Stats): string => {
  if (stats.isDirectory()) return 'a folder';
  if (stats.isSymbolicLink()) return 'a symbolic link';
  if (stats.isFIFO()) return 'a pipe';
  return stats.isSocket() ? 'a socket' : 'a device';
};

/** Why a file cannot be read. The reason completes the sentence `the holds file x …`. */
class Unreadable extends Error {
  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(reason, options);
  }
}

async function reading<T>({ file, what, code, facts }: Input, read: () => Promise<T>): Promise<T> {
  return read().catch((error: unknown) => {
    if (!(error instanceof Unreadable)) throw error;
    throw keyliftError(code, { message: `${what} ${file} ${error.reason}`, facts: { file, ...facts }, cause: error });
  });
}

function faultOf(error: unknown): { fault: string } {
  if (error instanceof Unreadable) return { fault: error.reason };
  throw error;
}

async function textOf(file: string, maxMiB: number): Promise<string> {
  const { text, fault } = decodeUtf8(await bytesOf(file, maxMiB));
  if (fault !== undefined) throw new Unreadable(fault);
  return text;
}

async function bytesOf(file: string, maxMiB: number): Promise<Buffer> {
  const handle = await openFile(file);
  try {
    const chunks: Buffer[] = [];
    const { size } = await handle.stat();
    // The size of a file that grows, or of one below /proc, is no limit: what was read counts, too.
    for (let length = 0; Math.max(size, length) <= maxMiB * MIB;) {
      const chunk = await nextChunk(handle, Buffer.allocUnsafe(CHUNK_BYTES));
      if (chunk.length === 0) return Buffer.concat(chunks);
      chunks.push(chunk);
      length += chunk.length;
    }
    throw new Unreadable(`is larger than ${String(maxMiB)} MiB`);
  } finally {
    await handle.close();
  }
}

const nextChunk = async (handle: FileHandle, chunk: Buffer): Promise<Buffer> =>
  chunk.subarray(0, (await handle.read(chunk).catch(refuse)).bytesRead);

/** Looks at the file before it opens it, and again when it is open; until then opening does not wait. */
async function openFile(file: string): Promise<FileHandle> {
  refuseOther(await stat(file).catch(refuse));
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch(refuse);
  try {
    refuseOther(await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function refuseOther(stats: Stats): void {
  if (!stats.isFile()) throw new Unreadable(`is ${kindOf(stats)}, not a file`);
}

/** The reason where there is no file. */
export const MISSING = 'does not exist';

const REASONS: Record<string, string> = {
  ENOENT: MISSING,
  ENOTDIR: MISSING,
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ELOOP: 'is a symbolic link that leads back to itself',
  ENAMETOOLONG: 'has a name that is too long',
};

function refuse(cause: unknown): never {
  const { code = '' } = cause as NodeJS.ErrnoException;
  const reason = REASONS[code] ?? `cannot be read (${code === '' ? String(cause) : code})`;
  throw new Unreadable(reason, { cause });
}
