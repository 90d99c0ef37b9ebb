import { AsyncLocalStorage } from 'node:async_hooks';
import { forTerminal } from '../escaping.js';
import { grouped } from '../format.js';

/** Columns of the narrowest terminal that answers are laid out for. */
export const COLUMNS = 80;

const width = new AsyncLocalStorage<number>();

/** Runs `fn` for a terminal of so many columns: where it is narrower than 80, texts are laid out for it. */
export const atWidth = <T>(columns: number | undefined, fn: () => T): T =>
  width.run(Math.min(COLUMNS, columns ?? COLUMNS), fn);

export interface WrapOptions {
  /** Put before the first line. */
  first?: string;
  /** Put before every further line. */
  rest?: string;
  /** Default: those of `atWidth`, else 80. */
  columns?: number;
  /** Cuts a word that is longer than a line. Without it such a word has its own line, which is then too long. */
  cut?: boolean;
}

/**
 * Breaks a text into lines of at most so many columns. A line break in the text is shown as its escape, like every
 * character that a terminal obeys.
 */
export function wrap(
  text: string,
  { first = '', rest = '', columns = width.getStore() ?? COLUMNS, cut = false }: WrapOptions = {},
): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  const words = forTerminal(text)
    .split(' ')
    .flatMap((word) => (cut ? pieces(word, Math.max(1, columns - rest.length)) : [word]));
  for (const word of words) {
    if (!empty && [...line].length + 1 + [...word].length > columns) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].join('\n');
}

function pieces(word: string, length: number): string[] {
  const letters = [...word];
  return Array.from({ length: Math.max(1, Math.ceil(letters.length / length)) }, (_, at) =>
    letters.slice(at * length, (at + 1) * length).join(''),
  );
}

type Cell = string | number;

/** Rows of cells as aligned columns. Numbers are aligned to the right. */
export function table(rows: readonly (readonly Cell[])[], { indent = '  ' }: { indent?: string } = {}): string {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : forTerminal(cell))));
  const widths = (texts[0] ?? []).map((_, column) => Math.max(...texts.map((row) => [...(row[column] ?? '')].length)));
  return rows
    .map((row, at) => {
      const cells = row.map((cell, column) => pad(texts[at]![column]!, widths[column]!, typeof cell === 'number'));
      return indent + cells.join('  ').trimEnd();
    })
    .join('\n');
}

function pad(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - [...text].length));
  return right ? space + text : text + space;
}
