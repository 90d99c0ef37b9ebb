/** A place in a text: its line, cut to what stands around it, and the column in that line, from 1. */
export interface Place {
  line: string;
  column: number;
}

/** Characters of a line on either side of the place that are shown at most. */
const AROUND = 50;

/** The place of a character of a text, counted from 1; one behind the text's end is its last line's end. */
export function placeIn(text: string, position: number): Place {
  // Characters, not UTF-16 units: the server counts them, and so does whoever looks at a caret.
  const characters = [...text];
  const at = Math.min(position - 1, characters.length);
  const start = characters.lastIndexOf('\n', at - 1) + 1;
  const end = characters.indexOf('\n', at);
  const line = characters.slice(start, end === -1 ? undefined : end);
  return cut(
    line.map((character) => (character.trim() === '' ? ' ' : character)),
    at - start,
  );
}

function cut(line: readonly string[], at: number): Place {
  const indent = line.findIndex((character) => character !== ' ');
  const from = Math.max(at > AROUND ? at - AROUND : 0, Math.min(Math.max(indent, 0), at));
  const upto = Math.min(line.length, at + AROUND);
  const [before, after] = [from > Math.max(indent, 0) ? '… ' : '', upto < line.length ? ' …' : ''];
  return {
    line: `${before}${line.slice(from, upto).join('').trimEnd()}${after}`,
    column: before.length + at - from + 1,
  };
}

/** The line, and a caret under the place. */
export const caretLines = ({ line, column }: Place): [string, string] => [line, `${' '.repeat(column - 1)}^`];
