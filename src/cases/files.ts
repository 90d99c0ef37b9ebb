import { readFile } from 'node:fs/promises';
import { decodeUtf8 } from '../config/utf8.js';

/** The text of a file, or the fault that prevents reading it. */
export type TextReading = { text: string; fault: undefined } | { text: undefined; fault: string };

/** Reads strict UTF-8 and removes a byte order mark. */
export async function readUtf8(file: string): Promise<TextReading> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return { text: undefined, fault: reasonOf(error) };
  }
  const { text, fault } = decodeUtf8(bytes);
  return fault === undefined ? { text, fault } : { text: undefined, fault: fault.replace(/^is /, '') };
}

function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
      return 'no such file';
    case 'EISDIR':
      return 'a directory, not a file';
    case 'EACCES':
      return 'may not be read';
    default:
      throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
