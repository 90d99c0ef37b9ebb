import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, open, rename, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { cannotWrite, failWriting, statsOfOwn, type Output } from './placement.js';

/*
 * Every file that keylift writes is written here, but for the log, which is appended to: a new file beside it is filled,
 * brought to the disk and renamed. A reader finds the old content or the new, never a part of it, and no link is
 * followed.
 */

/**
 * Who may read the file. `owner`: mode 0600, for names and ids of customers. `collector`: mode 0644, for numbers that a
 * program of another user collects. `repository`: what the umask allows, or the mode of the file that is there, for files
 * that belong into version control.
 */
export type Readers = 'owner' | 'collector' | 'repository';

export interface WriteOptions {
  /** Default `owner`. */
  readers?: Readers;
  /** Refuse a file that exists; default false. */
  exclusive?: boolean;
}

/** Writes a text as a whole file. @throws the error of the output; the file is as it was then */
export const writeText = (output: Output, text: string, options: WriteOptions = {}): Promise<void> =>
  writeFile(output, (append) => append(text), options);

/**
 * Calls `write` with a function that appends to a new file, and puts that file in the place of `output.file`.
 *
 * @throws the error of the output, and whatever `write` throws; the file is as it was then
 */
export async function writeFile<T>(
  output: Output,
  write: (append: (text: string) => Promise<void>) => Promise<T>,
  { readers = 'owner', exclusive = false }: WriteOptions = {},
): Promise<T> {
  const there = statsOfOwn(output);
  if (exclusive && there !== undefined) throw cannotWrite(output, Object.assign(new Error(), { code: 'EEXIST' }));
  const draft = draftOf(output.file);
  const handle = await open(draft, 'wx', readers === 'repository' ? 0o666 : 0o600).catch(failWriting(output));
  try {
    const result = await fill(handle, { output, mode: modeFor(readers, there), write });
    await (exclusive ? putNew(draft, output.file) : rename(draft, output.file)).catch(failWriting(output));
    await syncFolder(output.file);
    return result;
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Gives the draft a name that nothing has, which a rename would take from another file. */
async function putNew(draft: string, file: string): Promise<void> {
  try {
    await link(draft, file);
  } catch (error) {
    // A file system without hard links; the file did not exist a moment ago.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    await rename(draft, file);
    return;
  }
  await rm(draft);
}

interface Filling<T> {
  output: Output;
  /** Set whatever the umask is; undefined leaves the mode. */
  mode: number | undefined;
  write: (append: (text: string) => Promise<void>) => Promise<T>;
}

async function fill<T>(handle: FileHandle, { output, mode, write }: Filling<T>): Promise<T> {
  try {
    if (mode !== undefined) await handle.chmod(mode);
    const result = await write((text) => handle.appendFile(text).catch(failWriting(output)));
    await handle.sync().catch(failWriting(output));
    return result;
  } finally {
    await handle.close();
  }
}

function modeFor(readers: Readers, there: Stats | undefined): number | undefined {
  if (readers === 'collector') return 0o644;
  return readers === 'repository' && there !== undefined ? there.mode & 0o777 : undefined;
}

const draftOf = (file: string): string =>
  path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);

/** Brings the new name to the disk. A file system that cannot do so keeps the file all the same. */
async function syncFolder(file: string): Promise<void> {
  const folder = await open(path.dirname(file), 'r').catch(() => undefined);
  await folder?.sync().catch(() => undefined);
  await folder?.close();
}
