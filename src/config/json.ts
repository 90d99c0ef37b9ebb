/** Why a text is not JSON, with the position. */
export class JsonFault extends Error {
  constructor(
    readonly reason: string,
    readonly line: number,
    readonly column: number,
  ) {
    super(`line ${String(line)}, column ${String(column)}: ${reason}`);
  }
}

export interface ParsedJson {
  value: unknown;
  /** Keys that an object has twice. JSON.parse would silently keep the last. */
  duplicates: { path: (string | number)[]; line: number }[];
}

const MAX_DEPTH = 32;
const STRING = /"(?:[^"\\\p{Cc}]|\u007f|[\u0080-\u009f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/uy;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const SPACE = /[ \t\r\n]*/y;

/** Parses JSON. Unlike JSON.parse it reports line and column, and duplicate keys. @throws JsonFault */
export function parseJson(text: string): ParsedJson {
  const reader = new Reader(text);
  const value = reader.document();
  return { value, duplicates: reader.duplicates };
}

class Reader {
  readonly duplicates: ParsedJson['duplicates'] = [];
  private readonly path: (string | number)[] = [];
  private position = 0;

  constructor(private readonly text: string) {}

  document(): unknown {
    this.skipSpace();
    if (this.position === this.text.length) throw this.fault('the file is empty');
    const value = this.value();
    this.skipSpace();
    if (this.position < this.text.length) throw this.fault('there is text after the end of the document');
    return value;
  }

  private value(): unknown {
    if (this.path.length > MAX_DEPTH) throw this.fault(`nested deeper than ${String(MAX_DEPTH)} levels`);
    this.skipSpace();
    const next = this.text[this.position];
    if (next === '{') return this.object();
    if (next === '[') return this.array();
    if (next === '"') return this.string();
    const scalar = this.match(SCALAR);
    if (scalar === undefined) throw this.unexpected('a value');
    return JSON.parse(scalar) as unknown;
  }

  private object(): Record<string, unknown> {
    const entries = new Map<string, unknown>();
    this.list('}', () => {
      if (this.text[this.position] !== '"') throw this.unexpected('a key in double quotes');
      const key = this.string();
      if (entries.has(key)) this.duplicates.push({ path: [...this.path, key], line: this.location().line });
      this.skipSpace();
      if (!this.take(':')) throw this.unexpected('a colon');
      entries.set(key, this.below(key));
    });
    // fromEntries defines `__proto__` as a plain key instead of setting the prototype.
    return Object.fromEntries(entries);
  }

  private array(): unknown[] {
    const items: unknown[] = [];
    this.list(']', () => items.push(this.below(items.length)));
    return items;
  }

  private list(end: string, item: () => void): void {
    this.position += 1;
    this.skipSpace();
    if (this.take(end)) return;
    for (;;) {
      this.skipSpace();
      item();
      this.skipSpace();
      if (this.take(end)) return;
      if (!this.take(',')) throw this.unexpected(`a comma or ${end}`);
    }
  }

  private below(step: string | number): unknown {
    this.path.push(step);
    const value = this.value();
    this.path.pop();
    return value;
  }

  private string(): string {
    const raw = this.match(STRING);
    if (raw === undefined) throw this.fault('a string that does not end, or holds a raw line break or a wrong escape');
    return JSON.parse(raw) as string;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    this.position += found?.length ?? 0;
    return found;
  }

  private skipSpace(): void {
    this.match(SPACE);
  }

  private take(mark: string): boolean {
    if (this.text[this.position] !== mark) return false;
    this.position += 1;
    return true;
  }

  private unexpected(wanted: string): JsonFault {
    const found = String.fromCodePoint(this.text.codePointAt(this.position) ?? 0);
    if (this.position >= this.text.length) return this.fault(`expected ${wanted}, but the file ends`);
    const comment = found === '/' || found === '#' ? ' (JSON has no comments)' : '';
    return this.fault(`expected ${wanted}, found ${JSON.stringify(found)}${comment}`);
  }

  private fault(reason: string): JsonFault {
    const { line, column } = this.location();
    return new JsonFault(reason, line, column);
  }

  private location(): { line: number; column: number } {
    const before = this.text.slice(0, this.position).split('\n');
    return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  }
}
