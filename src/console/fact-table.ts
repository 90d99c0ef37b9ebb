import { grouped } from '../format.js';
import { table } from './layout.js';

type Row = Record<string, string | number | boolean | null>;

/** True for objects with the same keys and plain values: they are shown as a table. */
export function isTable(items: readonly unknown[]): items is readonly Row[] {
  const [first] = items;
  if (typeof first !== 'object' || first === null) return false;
  const columns = Object.keys(first).join();
  return items.every(
    (item) =>
      typeof item === 'object' &&
      item !== null &&
      Object.keys(item).join() === columns &&
      Object.values(item).every((value) => value === null || typeof value !== 'object'),
  );
}

/** The facts of an error as a table with a header. Numbers of a column `difference` have their sign. */
export function factTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = rows.map((row) => columns.map((column) => cellOf(column, row[column] ?? null)));
  const widths = columns.map((column, at) => Math.max(column.length, ...cells.map((row) => row[at]!.length)));
  const isNumber = (at: number): boolean => rows.some((row) => typeof row[columns[at]!] === 'number');
  const line = (texts: readonly string[]): string[] =>
    texts.map((text, at) => (isNumber(at) ? text.padStart(widths[at]!) : text));
  return table([line(columns), ...cells.map(line)], { indent: '    ' });
}

function cellOf(column: string, value: Row[string]): string {
  if (value === null) return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  return column === 'difference' ? signed(value) : grouped(value);
}

/** `+1,200` or `-3`. */
export const signed = (value: number): string => (value > 0 ? `+${grouped(value)}` : `-${grouped(-value)}`);
