import { grouped, milliseconds } from '../format.js';
import { LIFTED, shownControl, type Control, type Steered } from '../ledger/control.js';
import type { RunPace } from '../ledger/runs.js';
import { table } from './layout.js';

/** First line of the answer: after a change, and without one. */
export interface SteeringLines {
  done: string;
  unchanged: string;
}

/** The values before and after a change, and the values that stay. */
export function steeringText({ before, after, run }: Steered, { done, unchanged }: SteeringLines): string {
  const same = Object.keys(changesOf({ before, after })).length === 0;
  return [
    same ? unchanged : done,
    table([
      ['paused', fromTo(yesOrNo(before), yesOrNo(after), before.paused === after.paused)],
      ...LINES.map((line) => [line.label, cellOf(line, { before, after, run })]),
    ]),
    ...(run === null ? ['  No run is active; the next run starts with this.'] : []),
    '',
  ].join('\n');
}

const yesOrNo = ({ paused }: Control): string => (paused ? 'yes' : 'no');

/** The changed values, under the names of `--json`. */
export function changesOf({
  before,
  after,
}: Pick<Steered, 'before' | 'after'>): Record<string, { from: unknown; to: unknown }> {
  const names = (Object.keys(after) as (keyof Control)[]).filter((name) => before[name] !== after[name]);
  const [from, to] = [shownControl(before), shownControl(after)];
  return Object.fromEntries(names.map((name) => [name, { from: from[name], to: to[name] }]));
}

interface Line {
  label: string;
  name: keyof Control & keyof RunPace;
  /** How a value reads; as it is where this is missing. */
  show?: (value: string) => string;
}

const seconds = (value: string): string => `${value} s`;
const atMost = (value: string): string => `${value} at most`;

const LINES: readonly Line[] = [
  { label: 'batches at once', name: 'concurrency' },
  { label: 'batch time', name: 'batch_time', show: seconds },
  { label: 'rows a batch', name: 'batch_size', show: (rows) => atMost(grouped(Number(rows))) },
  { label: 'replica lag', name: 'max_lag', show: (lag) => atMost(seconds(lag)) },
  { label: 'active sessions', name: 'max_active', show: atMost },
  { label: 'throttle query', name: 'throttle_query', show: shortened },
  { label: 'throttle URL', name: 'throttle_url', show: shortened },
  { label: 'key lookups', name: 'max_latency', show: (limit) => atMost(milliseconds(Number(limit))) },
];

/** The old and the new value of a line. */
function cellOf({ name, show = String }: Line, { before, after, run }: Steered): string {
  const own = run?.pace?.[name];
  const [from, to] = [before, after].map((control) => valueOf(shownControl(control)[name], { own, show }));
  return fromTo(from!, to!, before[name] === after[name]);
}

/** `own` is the value on the command line of the run: undefined where no run is active, null where it set no limit. */
function valueOf(set: unknown, { own, show }: { own: unknown; show: (value: string) => string }): string {
  if (set === LIFTED.text) return 'no limit';
  if (set !== null) return show(String(set));
  if (own === undefined) return "the run's own";
  return `${own === null ? 'no limit' : show(String(own))} (the run's own)`;
}

const fromTo = (from: string, to: string, same: boolean): string => (same ? to : `${from} → ${to}`);

const SHOWN = 60;

/** A query may be long; the first part of it is enough to recognise it. */
function shortened(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}
