import { keyliftError } from '../errors/keylift-error.js';
import { idFromCsv } from '../escaping.js';
import { CsvFault, csvRows, type CsvRow } from './csv-rows.js';
import { readText } from './read.js';

const MAX_MIB = 64;
/** More would not fit into the memory of the process, nor be a list that someone has checked. */
const MOST_IDS = 5_000_000;
const FAULTS_SHOWN = 20;

/** One id of a list, as text, with the line on which it is first given. */
export interface ListedId {
  id: string;
  line: number;
}

export interface IdListOptions {
  file: string;
  /** What the file is, for messages: `holds file`. */
  kind: string;
  /** Columns that may have ids; the header must have at least one of them. */
  columns: readonly string[];
}

/** The faults of a list. The first ones are written out, all are counted. */
export class ListFaults {
  private readonly shown: string[] = [];
  private count = 0;

  /** @param list its name; `unit` is what the numbers of its ids count, lines of a file by default */
  constructor(private readonly list: Pick<IdListOptions, 'file' | 'kind'> & { unit?: 'line' | 'entry' }) {}

  add(line: number, reason: string): void {
    this.count += 1;
    if (this.shown.length < FAULTS_SHOWN) this.shown.push(`${this.list.unit ?? 'line'} ${String(line)}: ${reason}`);
  }

  /** @throws `list_invalid` where there is a fault */
  throwIfAny(): void {
    if (this.count === 0) return;
    const { file, kind } = this.list;
    const more = this.count - this.shown.length;
    const lines = [...this.shown, ...(more > 0 ? [`and ${String(more)} more`] : [])];
    throw keyliftError('list_invalid', {
      message: `the ${kind} ${file} has ${String(this.count)} fault${this.count === 1 ? '' : 's'}:\n  ${lines.join('\n  ')}`,
      facts: { file },
    });
  }
}

/**
 * Reads a CSV with a header and returns the ids of the columns, each once, in their order. Ids stay text. Other columns
 * are notes of the operator and are ignored; a row without an id is a fault, as it may be a typing error.
 *
 * @throws `list_unreadable`; `list_invalid` with all faults at once
 */
export async function readIdList(options: IdListOptions): Promise<Map<string, ListedId[]>> {
  const { file, kind, columns } = options;
  const text = await readText({ file, what: `the ${kind}`, code: 'list_unreadable', maxMiB: MAX_MIB });
  const faults = new ListFaults(options);
  const lists = new Map(columns.map((column) => [column, new Map<string, number>()]));
  try {
    readRows(csvRows(text), { columns, lists, faults });
  } catch (error) {
    if (!(error instanceof CsvFault)) throw error;
    faults.add(error.line, error.message);
  }
  faults.throwIfAny();
  return new Map([...lists].map(([column, ids]) => [column, [...ids].map(([id, line]) => ({ id, line }))]));
}

interface Reading {
  columns: readonly string[];
  /** Ids by column, each with its line. */
  lists: ReadonlyMap<string, Map<string, number>>;
  faults: ListFaults;
}

function readRows(rows: Iterator<CsvRow>, reading: Reading): void {
  const header = (rows.next().value as CsvRow).cells.map((name) => name.trim());
  const found = columnsIn(header, reading);
  if (found.length === 0) return;
  for (let next = rows.next(); next.done !== true; next = rows.next())
    readRow(next.value, { ...reading, found, width: header.length });
}

interface Column {
  name: string;
  at: number;
  ids: Map<string, number>;
}

function columnsIn(header: readonly string[], { columns, lists, faults }: Reading): Column[] {
  const found = columns.filter((column) => header.includes(column));
  if (found.length === 0)
    // Without a header the first line is a row, and could be a token: it is not repeated.
    faults.add(1, `the header has none of the columns ${columns.join(', ')}; fields are separated by commas`);
  for (const name of found)
    if (header.indexOf(name) !== header.lastIndexOf(name)) faults.add(1, `column ${name} is given twice`);
  return found.map((name) => ({ name, at: header.indexOf(name), ids: lists.get(name)! }));
}

function readRow(
  { line, cells }: CsvRow,
  { found, width, faults }: Reading & { found: readonly Column[]; width: number },
): void {
  if (cells.every((cell) => cell.trim() === '')) return;
  if (cells.length !== width) faults.add(line, `${String(cells.length)} fields, the header has ${String(width)}`);
  let ids = 0;
  for (const { at, ids: list } of found) {
    const id = idFromCsv(cells[at]?.trim() ?? '');
    if (id === '') continue;
    ids += 1;
    if (list.size === MOST_IDS && !list.has(id))
      throw new CsvFault(line, `the list has more than ${String(MOST_IDS)} ids; split it`);
    if (!list.has(id)) list.set(id, line);
  }
  if (ids === 0) faults.add(line, `no ${found.map(({ name }) => name).join(' or ')}`);
}
