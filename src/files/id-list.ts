import { readFile, stat } from 'node:fs/promises';
import { decodeUtf8 } from '../config/utf8.js';
import { idFromCsv } from '../escaping.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

const MAX_BYTES = 64 * 1024 * 1024;

/** One id of a list, as text, with the line it stands on for error messages. */
export interface ListedId {
  id: string;
  line: number;
}

export interface IdListOptions {
  /** What the file is, for messages: `holds file`. */
  kind: string;
  /** Columns that may carry ids; at least one must be in the header. */
  columns: readonly string[];
}

/**
 * Reads a CSV with a header and returns the ids of the columns asked for. Ids stay text. Other columns are a
 * person's notes and are left alone; a row without any id is a fault, as it may be a slip of the hand.
 *
 * @throws `list_unreadable` or `list_invalid`, all faults at once, nothing else done.
 */
export async function readIdList(file: string, options: IdListOptions): Promise<Map<string, ListedId[]>> {
  const [text, { default: Papa }] = await Promise.all([readText(file, options.kind), import('papaparse')]);
  const parsed = Papa.parse<string[]>(text, { delimiter: ',', skipEmptyLines: false });
  const faults = parsed.errors.map((e) => `line ${String((e.row ?? 0) + 1)}: ${e.message}`);
  const [header = [], ...rows] = parsed.data;
  const names = header.map((name) => name.trim());
  const found = options.columns.filter((column) => names.includes(column));
  if (found.length === 0)
    faults.unshift(
      `line 1: the header has none of the columns ${options.columns.join(', ')} (it has: ${names.join(', ') || 'nothing'})`,
    );
  for (const column of found)
    if (names.filter((n) => n === column).length > 1) faults.push(`line 1: column ${column} stands twice`);

  const ids = new Map<string, ListedId[]>(options.columns.map((column) => [column, []]));
  let next = 2;
  rows.forEach((row) => {
    const line = next;
    // A quoted note may hold line breaks of its own.
    next += 1 + row.reduce((breaks, cell) => breaks + (cell.match(/\r\n|\r|\n/g)?.length ?? 0), 0);
    if (found.length === 0 || row.every((cell) => cell.trim() === '')) return;
    if (row.length !== header.length)
      faults.push(`line ${String(line)}: ${String(row.length)} fields, the header has ${String(header.length)}`);
    const here = found
      .map((column) => ({ column, id: idFromCsv((row[names.indexOf(column)] ?? '').trim()) }))
      .filter((c) => c.id !== '');
    if (here.length === 0) faults.push(`line ${String(line)}: no ${found.join(' or ')}`);
    for (const { column, id } of here) ids.get(column)!.push({ id, line });
  });
  if (faults.length > 0) throw invalidList(file, options.kind, faults);
  return ids;
}

/** A list's faults as one error; at most twenty are written out, all are counted. */
export function invalidList(file: string, kind: string, faults: string[]): KeyliftError {
  const shown = faults
    .slice(0, 20)
    .map((f) => `\n  ${f}`)
    .join('');
  const more = faults.length > 20 ? `\n  and ${String(faults.length - 20)} more` : '';
  return keyliftError('list_invalid', {
    message: `the ${kind} ${file} has ${String(faults.length)} fault${faults.length === 1 ? '' : 's'}:${shown}${more}`,
    facts: { file },
  });
}

const REASONS: Record<string, string> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it does not exist',
  EACCES: 'this user may not read it',
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return `cannot be read: ${REASONS[code] ?? code}`;
}

async function readText(file: string, kind: string): Promise<string> {
  const refuse = (reason: string, cause?: unknown): KeyliftError =>
    keyliftError('list_unreadable', { message: `the ${kind} ${file} ${reason}`, facts: { file }, cause });
  const facts = await stat(file).catch((error: unknown) => {
    throw refuse(reasonOf(error), error);
  });
  if (!facts.isFile()) throw refuse('is not a file');
  if (facts.size > MAX_BYTES) throw refuse(`is larger than ${String(MAX_BYTES / 1024 / 1024)} MiB`);
  const bytes = await readFile(file).catch((error: unknown) => {
    throw refuse(reasonOf(error), error);
  });
  const { text, fault } = decodeUtf8(bytes);
  if (fault !== undefined) throw refuse(fault);
  return text;
}
