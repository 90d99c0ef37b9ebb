import { Writable } from 'node:stream';
import { forTerminalLines } from '../escaping.js';
import { columnsOf, fitted } from './fitted.js';
import type { PictureStyle } from './picture.js';
import type { Region, TerminalStream } from './region.js';

export interface TerminalWorld {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  isTTY: { stdout: boolean; stderr: boolean };
  env: Record<string, string | undefined>;
}

export interface TerminalOptions {
  /** --no-color. */
  noColour: boolean;
  /** Draws pictures. Without it, as where there is no terminal, there are only lines. */
  regions?: typeof Region | undefined;
}

/** The operator's terminal. At its end it may show a picture; everything else is written above the picture. */
export class Terminal {
  /** stderr for all other writers, which keeps the picture intact. */
  readonly stderr: NodeJS.WritableStream;
  readonly style: PictureStyle;
  private region: Region | undefined;

  private readonly regions: typeof Region | undefined;

  constructor(
    private readonly world: TerminalWorld,
    { noColour, regions }: TerminalOptions,
  ) {
    this.regions = regions;
    this.style = { colour: !noColour && wantsColour(world.env), unicode: speaksUnicode(world.env) };
    this.stderr = new Writable({
      decodeStrings: false,
      write: (text: string | Buffer, _encoding, done) => {
        this.above(text);
        done();
      },
    });
  }

  /** Starts a picture on this stream; undefined where only lines can be shown. There is one picture at a time. */
  begin(name: 'stdout' | 'stderr'): Region | undefined {
    if (this.regions === undefined || !this.world.isTTY[name] || this.world.env.TERM === 'dumb') return undefined;
    const region = new this.regions(this.world[name] as TerminalStream);
    this.region = region;
    return region;
  }

  /** Ends the picture: it stays on the screen and does not change any more. */
  end(): void {
    this.region?.end();
    this.region = undefined;
  }

  private above(text: string | Buffer): void {
    const write = (): void => {
      this.world.stderr.write(fitted(forTerminalLines(String(text)), columnsOf(this.world, 'stderr')));
    };
    if (this.region === undefined) write();
    else this.region.around(write);
  }
}

/** https://no-color.org: set and not empty means no colour. It does not switch the picture off. */
const wantsColour = (env: TerminalWorld['env']): boolean => (env.NO_COLOR ?? '') === '';

function speaksUnicode(env: TerminalWorld['env']): boolean {
  const locale = [env.LC_ALL, env.LC_CTYPE, env.LANG].find((value) => value !== undefined && value !== '');
  return /utf-?8/i.test(locale ?? '') && env.TERM !== 'linux';
}
