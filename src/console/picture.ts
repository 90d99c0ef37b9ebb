import { styleText } from 'node:util';
import { bar } from './bar.js';
import { elapsed, grouped } from '../format.js';
import { wrap } from './layout.js';

export interface PictureStyle {
  colour: boolean;
  unicode: boolean;
}

export type StageMark = 'done' | 'current' | 'waiting' | 'stopped' | 'open';

export interface StageLine {
  name: string;
  mark: StageMark;
  /** How long it took, or has taken so far; null where nobody knows. */
  seconds: number | null;
  /** Keys it has been through, and all there are; null where it does not count. */
  rows: { done: number; total: number } | null;
  /** What it is doing right now. */
  doing: string | null;
}

/** Everything a person sees of a run, whoever looks: counted, never computed. */
export interface Picture {
  /** What is at work, and where. */
  title: string;
  stages: readonly StageLine[];
  /** Rows a second; null while none is measured. */
  rate: number | null;
  secondsLeft: number | null;
  /** How long the last batches took. */
  batchSeconds: number | null;
  concurrency: number | null;
  /** Machines at work. */
  runs: number;
  /** The furthest replica; null where there is none or nobody may look. */
  lagSeconds: number | null;
  /** Why it waits, or what to do. */
  reason: string | null;
  /** What is worth knowing at the end. */
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
/** Below this the bar and its numbers take a line each. */
const NARROW = 60;

/** The picture of a run as lines no wider than asked for, each ended by a newline. */
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
  const counted = `${grouped(done)} of ${grouped(total)} keys`;
  const narrow = options.columns < NARROW;
  const room = options.columns - indent.length - (narrow ? 5 : counted.length + 7);
  const percent = `${String(total === 0 ? 0 : Math.floor((Math.min(done, total) / total) * 100)).padStart(3)}%`;
  const drawn = paint(
    bar(done, total, { columns: Math.max(4, Math.min(WIDEST_BAR, room)), unicode: options.unicode }),
    'cyan',
    options,
  );
  return narrow
    ? [`${indent}${drawn} ${percent}`, ...wrapped(counted, indent, options)]
    : [`${indent}${drawn} ${percent}  ${counted}`];
}

/** While a run waits its pace fades and tells nothing. Pieces that belong together stay on one line: their blanks are hard ones until the line is laid out. */
function paceText(
  { rate, secondsLeft, batchSeconds, concurrency, runs, lagSeconds }: Picture,
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
  ];
  return pieces.map((piece) => piece.replaceAll(' ', HARD)).join(', ');
}

const HARD = '\u00a0';

function wrapped(text: string, indent: string, { columns }: PictureOptions): string[] {
  if (text === '') return [];
  return wrap(text, { first: indent, rest: indent, columns, cut: true }).replaceAll(HARD, ' ').split('\n');
}

function paint(text: string, colour: Parameters<typeof styleText>[0], { colour: coloured }: PictureStyle): string {
  return coloured && text !== '' ? styleText(colour, text, { validateStream: false }) : text;
}
