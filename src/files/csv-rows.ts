/** One row of a CSV text. */
export interface CsvRow {
  /** The line on which it begins, from 1. */
  line: number;
  cells: string[];
}

/** What makes a CSV text unreadable from a line on. */
export class CsvFault extends Error {
  constructor(
    readonly line: number,
    reason: string,
  ) {
    super(reason);
  }
}

const SEPARATOR = /[,\r\n]/g;

/**
 * The rows of a CSV text: fields between commas, lines that end with LF, CRLF or CR, quoted fields with any of these in
 * them. A blank line is a row with one empty cell.
 *
 * @throws CsvFault
 */
export function* csvRows(text: string): Generator<CsvRow> {
  let row: CsvRow = { line: 1, cells: [] };
  let line = 1;
  for (let at = 0; ;) {
    const field = text[at] === '"' ? quotedField(text, at, line) : plainField(text, at);
    row.cells.push(field.cell);
    line += field.lines;
    if (text[field.end] === ',') at = field.end + 1;
    else {
      yield row;
      at = field.end + (text.startsWith('\r\n', field.end) ? 2 : 1);
      if (at >= text.length) return;
      line += 1;
      row = { line, cells: [] };
    }
  }
}

interface Field {
  cell: string;
  /** Where its separator is, or the text ends. */
  end: number;
  /** Line ends inside it. */
  lines: number;
}

const plainField = (text: string, from: number): Field => {
  const end = separatorAfter(text, from);
  return { cell: text.slice(from, end), end, lines: 0 };
};

function quotedField(text: string, from: number, line: number): Field {
  let close = text.indexOf('"', from + 1);
  while (close !== -1 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close === -1) throw new CsvFault(line, 'a quote is opened and not closed');
  const end = separatorAfter(text, close + 1);
  if (text.slice(close + 1, end).trim() !== '') throw new CsvFault(line, 'text follows the closing quote of a field');
  const cell = text.slice(from + 1, close).replaceAll('""', '"');
  return { cell, end, lines: cell.match(/\r\n|\r|\n/g)?.length ?? 0 };
}

function separatorAfter(text: string, from: number): number {
  SEPARATOR.lastIndex = from;
  return SEPARATOR.exec(text)?.index ?? text.length;
}
