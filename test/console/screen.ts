import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { Terminal } from '@xterm/headless';
import type { TerminalStream } from '../../src/console/region.js';

/** A real terminal emulator behind a stream: tests read what a person would see. */
export class Screen {
  readonly stream: TerminalStream;
  readonly #terminal: Terminal;
  readonly #writable: Writable;
  readonly #written = new EventEmitter();

  constructor({ columns, rows = 24 }: { columns: number; rows?: number }) {
    this.#terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
    this.#writable = new Writable({
      decodeStrings: false,
      write: (text: string | Buffer, _encoding, done) => {
        this.#terminal.write(text, () => {
          this.#written.emit('text');
          done();
        });
      },
    });
    this.stream = Object.assign(this.#writable, { columns, rows });
  }

  /** The window gets another width: the terminal lays its lines out anew, then tells the program. */
  async resize(columns: number): Promise<void> {
    await this.settle();
    this.#terminal.resize(columns, this.#terminal.rows);
    this.stream.columns = columns;
    this.stream.emit('resize');
    await this.settle();
  }

  /** Resolves when everything written so far stands on the screen. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      this.#writable.write('', () => {
        resolve();
      });
    });
  }

  /** What stands there, scrolled-off lines included, without blank lines at the end. */
  async text(): Promise<string> {
    await this.settle();
    const buffer = this.#terminal.buffer.active;
    const lines = Array.from({ length: buffer.length }, (_, at) => buffer.getLine(at)?.translateToString(true) ?? '');
    return lines.join('\n').trimEnd();
  }
}
