import { wrap } from './layout.js';

interface Streams {
  stdout: NodeJS.WritableStream & { columns?: number };
  stderr: NodeJS.WritableStream & { columns?: number };
  isTTY: { stdout: boolean; stderr: boolean };
}

/** The columns of the terminal that this stream writes to; undefined without a terminal, or without a known width. */
export function columnsOf({ isTTY, ...streams }: Streams, name: 'stdout' | 'stderr'): number | undefined {
  const { columns } = streams[name];
  return isTTY[name] && columns !== undefined && columns > 0 ? columns : undefined;
}

/** Narrower than this nothing is broken: a word would have a line of its own. */
const NARROWEST = 20;
/** How much further the rest of a broken line is indented. */
const HANGING = 2;

/**
 * A text with its lines broken between two words where they are wider than the terminal. The rest of a line is indented
 * a little further than the line. Words that are wider than the terminal stay whole, so that a person can copy them.
 */
export function fitted(text: string, columns: number | undefined): string {
  if (columns === undefined || columns < NARROWEST) return text;
  return text
    .split('\n')
    .map((line) => ([...line].length <= columns || line.includes('\t') ? line : broken(line, columns)))
    .join('\n');
}

function broken(line: string, columns: number): string {
  const indent = /^ */.exec(line)![0];
  const rest = ' '.repeat(Math.min(indent.length + HANGING, Math.floor(columns / 2)));
  return wrap(line.slice(indent.length), { first: indent, rest, columns });
}
