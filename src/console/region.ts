import { stripVTControlCharacters } from 'node:util';
import { createLogUpdate } from 'log-update';

/** The stream of a terminal. */
export interface TerminalStream extends NodeJS.WritableStream {
  columns?: number;
  rows?: number;
}

/** Draws a picture as lines of at most so many columns. */
export type Frame = (columns: number) => string;

const FALLBACK_COLUMNS = 80;

/** The last lines of a terminal, which a picture overwrites again and again. */
export class Region {
  private readonly update;
  private frame: Frame | undefined;
  private painted = '';
  private readonly onResize = (): void => {
    this.repaintReflowed();
  };

  constructor(private readonly stream: TerminalStream) {
    // Version 6.1 of log-update erases the whole picture first; version 7.2 loses lines when a picture grows.
    // The cursor stays visible, because a killed process could not show it again.
    this.update = createLogUpdate(stream, { showCursor: true });
    stream.on('resize', this.onResize);
  }

  paint(frame: Frame): void {
    this.frame = frame;
    this.painted = frame(this.columns);
    this.update(this.painted.replace(/\n$/, ''));
  }

  /** Removes the picture, lets the caller write, then draws the picture below. */
  around(write: () => void): void {
    this.update.clear();
    write();
    if (this.frame !== undefined) this.paint(this.frame);
  }

  /** Leaves the last picture on the screen; later output goes below it. */
  end(): void {
    this.stream.off('resize', this.onResize);
    this.update.done();
  }

  /** One column stays free, because some terminals wrap when the last one is written. */
  private get columns(): number {
    return Math.max(1, (this.stream.columns ?? FALLBACK_COLUMNS) - 1);
  }

  /** The terminal has wrapped the lines again, so they now take more or fewer rows than before. */
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
