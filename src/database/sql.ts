/** What can stand in a template: SQL text, or a number that is written as it is. */
type Part = string | number;

/** One statement, or several that belong together, under a title for a reader. */
export interface Statement {
  title: string;
  text: string;
  /** It runs only where this query, sent right before it, finds a row, or finds none. */
  condition?: { query: string; runs: 'where it finds a row' | 'where it finds none' };
  /** Other texts that may run in its place, and how they differ, as part of a sentence. */
  variants?: { differ: string; texts: readonly string[] };
}

interface Piece {
  text: string;
  isPart: boolean;
}

/**
 * SQL as a template, laid out for a reader. The template loses the indentation of the code around it. A part of several
 * lines is indented to the column where it is interpolated. A line whose parts are all empty is dropped, and no
 * double space is left where a part is empty. Quoted texts and quoted names keep every character; the body of a
 * function moves as a whole.
 */
export function sql(strings: TemplateStringsArray, ...parts: readonly Part[]): string {
  const pieces = strings.flatMap((text, at): Piece[] =>
    at < parts.length
      ? [
          { text, isPart: false },
          { text: String(parts[at]), isPart: true },
        ]
      : [{ text, isPart: false }],
  );
  const layout = new Layout(marginOf(strings), quotedIn(pieces.map(({ text }) => text).join('')));
  for (const piece of pieces) layout.add(piece);
  return layout.text();
}

/** A text as a literal. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** A text as part of a statement for `format`. */
export const inFormat = (text: string): string => text.replaceAll('%', '%%');

/** Items separated by commas, broken into lines of at most `width` characters. An item of several lines stands apart. */
export function commaList(items: readonly string[], width = 80): string {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    const fits = last !== undefined && `${last}, ${item},`.length <= width && !`${last}${item}`.includes('\n');
    if (fits) lines[lines.length - 1] = `${last}, ${item}`;
    else lines.push(item);
  }
  return lines.join(',\n');
}

/** Conditions that follow another one, each on a line. */
export const and = (conditions: readonly string[]): string => conditions.map((c) => sql`AND ${c}`).join('\n');

/** Values as one composite value. */
export const row = (values: readonly string[]): string => sql`ROW(${commaList(values)})`;

/** The smallest indentation of the template's own lines: those that hold more than white space. */
function marginOf(strings: TemplateStringsArray): number {
  const margins = strings.flatMap((text, at) => {
    const [, ...lines] = text.split('\n');
    return lines
      .filter((line, n) => line.trim() !== '' || (n === lines.length - 1 && at < strings.length - 1))
      .map((line) => line.length - line.trimStart().length);
  });
  return margins.length === 0 ? 0 : Math.min(...margins);
}

const TOKEN = /--[^\n]*|\/\*[\s\S]*?\*\/|\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"/g;

/** Says of an offset whether it is within a quoted text or a quoted name. */
function quotedIn(text: string): (offset: number) => boolean {
  const quoted = [...text.matchAll(TOKEN)]
    .filter(([token]) => !/^(--|\/\*)/.test(token))
    .map(({ 0: token, index }) => ({ from: index, to: index + token.length }));
  return (offset) => quoted.some(({ from, to }) => offset >= from && offset < to);
}

/** Puts the pieces of a template together, line by line. */
class Layout {
  private readonly lines: string[] = [];
  private line = '';
  private hasPart = false;
  private afterEmptyPart = false;
  private offset = 0;

  constructor(
    private readonly margin: number,
    private readonly isQuoted: (offset: number) => boolean,
  ) {}

  add({ text, isPart }: Piece): void {
    const column = this.line.length - (this.line.lastIndexOf('\n') + 1);
    const [first, ...rest] = text.split('\n');
    this.write(first!, isPart);
    for (const next of rest) {
      if (this.isQuoted(this.offset)) this.line += `\n${next}`;
      else this.begin(isPart ? ' '.repeat(column) + next : this.dedented(next));
      this.offset += 1 + next.length;
    }
  }

  text(): string {
    this.begin('');
    return this.lines.join('\n').replace(/^\n+/, '').trimEnd();
  }

  private write(text: string, isPart: boolean): void {
    const closesUp = !isPart && this.afterEmptyPart && /^[ ;),]/.test(text) && !this.isQuoted(this.offset);
    const isBlank = this.line.trim() === '';
    if (closesUp && !isBlank) this.line = this.line.replace(/ $/, '');
    this.line += closesUp && isBlank ? text.replace(/^ /, '') : text;
    this.offset += text.length;
    this.hasPart ||= isPart;
    this.afterEmptyPart = isPart && text === '';
  }

  private begin(next: string): void {
    if (!(this.hasPart && this.line.trim() === '')) this.lines.push(this.line.trimEnd());
    this.line = next;
    this.hasPart = false;
    this.afterEmptyPart = false;
  }

  private dedented(line: string): string {
    const spaces = line.length - line.trimStart().length;
    return line.slice(Math.min(this.margin, spaces));
  }
}
