import { styleText } from 'node:util';
import { elapsed, grouped, milliseconds } from '../format.js';
import type { Status } from '../status/status.js';
import { wrap } from './layout.js';

export interface PictureStyle {
  colour: boolean;
  unicode: boolean;
}

export type StageMark = 'done' | 'current' | 'waiting' | 'stopped' | 'open';

export interface StageLine {
  name: string;
  mark: StageMark;
  /** How long it took, or has taken so far; null where that is unknown. */
  seconds: number | null;
  /** Keys done, and all keys; null for a stage that does not count keys. */
  rows: { done: number; total: number } | null;
  /** What it is doing right now. */
  doing: string | null;
}

/** Everything that the picture of a run shows. */
export interface Picture {
  /** The command, its state and its database. */
  title: string;
  stages: readonly StageLine[];
  /** Rows a second; null while none is measured. */
  rate: number | null;
  secondsLeft: number | null;
  /** How long the last batches took. */
  batchSeconds: number | null;
  concurrency: number | null;
  /** Active runs, on one machine each. */
  runs: number;
  /** Lag of the slowest replica; null where there is none or this role may not see it. */
  lagSeconds: number | null;
  /** The time of key lookups, where it is measured. */
  lookups: Status['lookups'];
  /** Why it waits, or what to do. */
  reason: string | null;
  /** Lines at the end. */
  notes: readonly string[];
}

export interface PictureOptions extends PictureStyle {
  columns: number;
}

const MARKS: Record<StageMark, { unicode: string; plain: string; colour: Parameters<typeof styleText>[0] }> = {
  done: { unicode: '✔', plain: '[x]', colour: 'green' },
  current: { unicode: '▶', plain: '[>]', colour: 'cyan' },
  waiting: { unicode: '‖', plain: '[=]', colour: 'yellow' },
  stopped: { unicode: '■', plain: '[-]', colour: 'yellow' },
  open: { unicode: '·', plain: '[ ]', colour: 'dim' },
};
const NAME_COLUMNS = 9;
const WIDEST_BAR = 40;
/** In fewer columns the bar and its numbers have a line each. */
const NARROW = 60;

/** The picture of a run as lines of at most `columns`. */
export function pictureText(picture: Picture, options: PictureOptions): string {
  const lines = [
    ...wrapped(picture.title, '', options).map((line) => paint(line, 'bold', options)),
    ...picture.stages.flatMap((stage) => stageLines(stage, picture, options)),
    ...(picture.reason === null
      ? []
      : wrapped(picture.reason, '  ', options).map((line) => paint(line, 'yellow', options))),
    ...picture.notes.flatMap((note) => wrapped(note, '  ', options)),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function stageLines(stage: StageLine, picture: Picture, options: PictureOptions): string[] {
  const { unicode, plain, colour } = MARKS[stage.mark];
  const mark = options.unicode ? unicode : plain;
  const indent = ' '.repeat(2 + mark.length + 1);
  const time = stage.seconds === null ? '' : elapsed(stage.seconds);
  const head = `${`${stage.name.padEnd(NAME_COLUMNS)} ${time}`.trimEnd()}`;
  const doing = stage.doing === null ? [] : wrapped(stage.doing, indent, options);
  const painted = stage.mark === 'open' ? paint(head, 'dim', options) : head;
  return [
    `  ${paint(mark, colour, options)} ${painted}`,
    ...(stage.rows === null ? [] : barLines(stage.rows, indent, options)),
    ...(stage.name === 'backfill' && stage.rows !== null ? wrapped(paceText(picture, stage), indent, options) : []),
    ...doing,
  ];
}

function barLines({ done, total }: { done: number; total: number }, indent: string, options: PictureOptions): string[] {
  const numbers = `${grouped(done)} of ${grouped(total)} keys`;
  const narrow = options.columns < NARROW;
  const available = options.columns - indent.length - (narrow ? 5 : numbers.length + 7);
  const percent = `${String(total === 0 ? 0 : Math.floor((Math.min(done, total) / total) * 100)).padStart(3)}%`;
  const drawn = paint(
    bar(done, total, { columns: Math.max(4, Math.min(WIDEST_BAR, available)), unicode: options.unicode }),
    'cyan',
    options,
  );
  return narrow
    ? [`${indent}${drawn} ${percent}`, ...wrapped(numbers, indent, options)]
    : [`${indent}${drawn} ${percent}  ${numbers}`];
}

/**
 * Without rate and time left while a run waits, because they mean nothing then. Each piece stays on one line: its
 * spaces are hard until the line is laid out.
 */
function paceText(
  { rate, secondsLeft, batchSeconds, concurrency, runs, lagSeconds, lookups }: Picture,
  { mark }: StageLine,
): string {
  const waits = mark === 'waiting';
  const pieces = [
    ...(rate === null || waits ? [] : [`${grouped(rate)} rows/s`]),
    ...(secondsLeft === null || waits ? [] : [`about ${elapsed(secondsLeft)} left`]),
    ...(batchSeconds === null ? [] : [`batches of ${batchSeconds.toFixed(2)} s`]),
    ...(concurrency === null
      ? []
      : [`${String(concurrency)} at once${runs > 1 ? ` on each of ${String(runs)} runs` : ''}`]),
    ...(lagSeconds === null ? [] : [`lag ${lagSeconds.toFixed(1)} s`]),
    ...(lookups === null
      ? []
      : [`lookups ${milliseconds(lookups.p95_seconds)}, ${milliseconds(lookups.limit_seconds)} at most`]),
  ];
  return pieces.map((piece) => piece.replaceAll(' ', HARD)).join(', ');
}

const HARD = '\u00a0';

function wrapped(text: string, indent: string, { columns }: PictureOptions): string[] {
  if (text === '') return [];
  return wrap(text, { first: indent, rest: indent, columns, cut: true }).replaceAll(HARD, ' ').split('\n');
}

/** Eighths of a column: a bar of 40 columns shows 320 steps. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** The share of `total` that is done, as a bar of exactly so many columns. */
export function bar(done: number, total: number, { columns, unicode }: { columns: number; unicode: boolean }): string {
  const share = total <= 0 ? 0 : Math.min(1, Math.max(0, done / total));
  const steps = Math.floor(share * columns * (unicode ? EIGHTHS.length : 1));
  if (!unicode) return `${'#'.repeat(steps)}${'-'.repeat(columns - steps)}`;
  const full = '█'.repeat(Math.floor(steps / EIGHTHS.length)) + (EIGHTHS[steps % EIGHTHS.length] ?? '');
  return full + '░'.repeat(columns - full.length);
}

function paint(text: string, colour: Parameters<typeof styleText>[0], { colour: coloured }: PictureStyle): string {
  return coloured && text !== '' ? styleText(colour, text, { validateStream: false }) : text;
}
