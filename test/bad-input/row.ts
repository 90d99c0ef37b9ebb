import type { ExitCode } from '../../src/errors/exit-codes.js';

/** A file's content: text, bytes, or so many bytes of nothing. */
export type Content = string | Uint8Array | { zeros: number };

/** One line of the table: what is given, and what must come of it. */
export interface Row {
  /** What is wrong with it. */
  what: string;
  /** Run in a folder of its own that holds `files`; NONE stands for a path where nothing is. */
  line: string | readonly string[];
  files?: Record<string, Content>;
  env?: Record<string, string>;
  /** Which database it meets. Default: the legacy tables alone. */
  on?: 'legacy' | 'migrated';
  exit: ExitCode;
  /** What a person reads: on stderr, or, of what is taken all the same or answered line by line, on stdout. */
  says: string | RegExp;
  answers?: boolean;
}

export const BOM = '\uFEFF';
export const NUL = '\0';

/** Texts and single bytes, one behind the other. */
export const bytes = (...parts: (string | number)[]): Uint8Array =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))));

export const utf16 = (text: string): Uint8Array => Buffer.from(`\uFEFF${text}`, 'utf16le');

export const crlf = (text: string): string => text.replaceAll('\n', '\r\n');

/** Brackets in brackets. */
export const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

/** A name that would end a statement and begin another one, were it ever woven into SQL. */
export const INJECTION = 'id"; DROP TABLE public.api_keys; --';
