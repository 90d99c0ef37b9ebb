/** Columns of the narrowest terminal that answers are laid out for. */
export const COLUMNS = 80;

export interface WrapOptions {
  /** Set before the first line. */
  first?: string;
  /** Set before every further line. */
  rest?: string;
}

/** Words laid out in lines of at most 80 columns; a word that is longer stands alone, uncut. */
export function wrap(text: string, { first = '', rest = '' }: WrapOptions = {}): string {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && [...line].length + 1 + [...word].length > COLUMNS) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line].join('\n');
}
