import { open, type FileHandle } from 'node:fs/promises';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { decodeUtf8 } from './utf8.js';

const MAX_BYTES = 1024 * 1024;

/**
 * Reads the text of a config file, without its byte order mark.
 *
 * @throws `config_unreadable` when it is missing, a folder, larger than 1 MiB or not UTF-8
 */
export async function readConfigFile(file: string, { givenBy }: { givenBy: string }): Promise<string> {
  const bytes = await readBytes(file).catch((error: unknown) => {
    throw unreadable(file, givenBy, reasonOf(error), error);
  });
  if (bytes.length > MAX_BYTES) throw unreadable(file, givenBy, 'is larger than 1 MiB');
  const { text, fault } = decodeUtf8(bytes);
  if (fault !== undefined) throw unreadable(file, givenBy, fault);
  return text;
}

/** Reads at most one byte more than allowed, so that it also ends for /dev/zero and a growing file. */
async function readBytes(file: string): Promise<Buffer> {
  const handle: FileHandle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

const REASONS: Record<string, string> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a folder, not a file',
  EACCES: 'may not be read by this user',
  ELOOP: 'is a symbolic link to itself',
  ENAMETOOLONG: 'has a name that is too long',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? `cannot be read (${code || String(error)})`;
}

function unreadable(file: string, givenBy: string, reason: string, cause?: unknown): KeyliftError {
  return keyliftError('config_unreadable', {
    message: `the config file ${file} ${reason}`,
    facts: { file, given_by: givenBy },
    ...(cause === undefined ? {} : { cause }),
  });
}
