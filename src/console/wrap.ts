import { forTerminal } from '../escaping.js';

/** Columns of the narrowest terminal that answers are laid out for. */
export const COLUMNS = 80;

export interface WrapOptions {
  /** Set before the first line. */
  first?: string;
  /** Set before every further line. */
  rest?: string;
  /** Default 80. */
  columns?: number;
  /** Words longer than a line are cut; where lines are counted, none may run over. */
  cut?: boolean;
}

/**
 * Words laid out in lines of at most so many columns; a word that is longer stands alone, uncut unless `cut` is set. A
 * line break in the text is shown as its escape, like every character that a terminal obeys.
 */
export function wrap(
  text: string,
  { first = '', rest = '', columns = COLUMNS, cut = false }: WrapOptions = {},
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
