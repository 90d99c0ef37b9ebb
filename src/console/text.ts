import { forTerminal } from '../escaping.js';

/** A number with thousands apart, the same in every locale. */
export const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+(?!\d))/g, ',');

/** A time in words short enough for a line: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function elapsed(seconds: number): string {
  if (seconds < 10) return `${String(Math.round(seconds * 10) / 10)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${grouped(hours)} h ${String(minutes)} min` : `${String(minutes)} min ${String(whole % 60)} s`;
}

/** `1 key`, `2 keys`. */
export const counted = (value: number, noun: string): string => `${grouped(value)} ${noun}${value === 1 ? '' : 's'}`;

/** Rows of cells as aligned columns; a column of numbers stands to the right. */
export function table(
  rows: readonly (readonly (string | number)[])[],
  { indent = '  ' }: { indent?: string } = {},
): string {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? grouped(cell) : forTerminal(cell))));
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => [...(row[column] ?? '')].length)));
  const pad = (text: string, width: number, right: boolean): string => {
    const space = ' '.repeat(Math.max(0, width - [...text].length));
    return right ? space + text : text + space;
  };
  return rows
    .map(
      (row, at) =>
        indent +
        row
          .map((cell, column) => pad(cells[at]![column]!, widths[column]!, typeof cell === 'number'))
          .join('  ')
          .trimEnd(),
    )
    .join('\n');
}
