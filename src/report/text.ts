/** A number with thousands apart, the same in every locale. */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

/** `1 key`, `2 keys`. */
export const counted = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Rows of cells as aligned columns; a column of numbers stands to the right. */
export function table(rows: readonly (readonly (string | number)[])[], { indent = '  ' }: { indent?: string } = {}): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : printable(cell))));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)));
  const pad = (text: string, width: number, right: boolean): string => {
    const space = ' '.repeat(Math.max(0, width - [...text].length));
    return right ? space + text : text + space;
  };
  return rows
    .map((row, at) => indent + row.map((cell, column) => pad(cells[at]![column]!, widths[column]!, typeof cell === 'number')).join('  ').trimEnd())
    .join('\n');
}

/** Names are customers' words: a terminal must not obey them. */
export const printable = (text: string): string =>
  text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);
