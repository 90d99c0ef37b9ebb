import { stripVTControlCharacters } from 'node:util';
import { createLogUpdate } from 'log-update';

/** What a terminal's stream tells about itself, and when that changes. */
export interface TerminalStream extends NodeJS.WritableStream {
  columns?: number;
  rows?: number;
}

/** A picture for this many columns: lines, none wider than that. */
export type Frame = (columns: number) => string;

const FALLBACK_COLUMNS = 80;

/** The part of a terminal that is painted over: the picture of a run, always the last thing on the screen. */
export class Region {
  private readonly update;
  private frame: Frame | undefined;
  private painted = '';
  private readonly onResize = (): void => {
    this.repaintReflowed();
  };

  constructor(private readonly stream: TerminalStream) {
    // 6.1 erases the whole picture before it paints; the patches of 7.2 lose lines when a picture grows.
    // The cursor stays visible: a process that is killed could not bring it back.
    this.update = createLogUpdate(stream, { showCursor: true });
    stream.on('resize', this.onResize);
  }

  paint(frame: Frame): void {
    this.frame = frame;
    this.painted = frame(this.columns);
    this.update(this.painted.replace(/\n$/, ''));
  }

  /** Takes the picture away while something else is written, then puts it below that. */
  around(write: () => void): void {
    this.update.clear();
    write();
    if (this.frame !== undefined) this.paint(this.frame);
  }

  /** Leaves the last picture standing; what is written from now on goes below it. */
  end(): void {
    this.stream.off('resize', this.onResize);
    this.update.done();
  }

  /** One column stays free: some terminals wrap when the last one is written. */
  private get columns(): number {
    return Math.max(1, (this.stream.columns ?? FALLBACK_COLUMNS) - 1);
  }

  /** The terminal has laid the lines out anew by now: they take more rows, or fewer, than were written. */
  private repaintReflowed(): void {
    if (this.frame === undefined) return;
    this.stream.write(`\u001b[${String(rowsOf(this.painted, this.stream.columns ?? FALLBACK_COLUMNS))}A\r\u001b[J`);
    this.update.done();
    this.paint(this.frame);
  }
}

function rowsOf(text: string, columns: number): number {
  return stripVTControlCharacters(text)
    .replace(/\n$/, '')
    .split('\n')
    .reduce((rows, line) => rows + Math.max(1, Math.ceil([...line].length / columns)), 0);
}
