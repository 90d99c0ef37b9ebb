import type { Control, Steered } from '../ledger/control.js';
import type { RunPace } from '../ledger/runs.js';
import { table } from './layout.js';

/** First line of the answer: after a change, and without one. */
export interface SteeringLines {
  done: string;
  unchanged: string;
}

/** The values before and after a change, and the values that stay. */
export function steeringText({ before, after, run }: Steered, { done, unchanged }: SteeringLines): string {
  const pace = run?.pace ?? null;
  const same = Object.keys(changesOf({ before, after })).length === 0;
  return [
    same ? unchanged : done,
    table(LINES.map(({ label, show }) => [label, fromTo(show(before, pace), show(after, pace))])),
    ...(run === null ? ['  No run is active; the next run starts with this.'] : []),
    '',
  ].join('\n');
}

/** The changed values, under the names of `--json`. */
export function changesOf({
  before,
  after,
}: Pick<Steered, 'before' | 'after'>): Partial<Record<keyof Control, { from: unknown; to: unknown }>> {
  const names = Object.keys(after) as (keyof Control)[];
  return Object.fromEntries(
    names.filter((name) => before[name] !== after[name]).map((name) => [name, { from: before[name], to: after[name] }]),
  );
}

interface Line {
  label: string;
  show: (control: Control, pace: RunPace | null) => string;
}

const LINES: readonly Line[] = [
  { label: 'paused', show: ({ paused }) => (paused ? 'yes' : 'no') },
  { label: 'batches at once', show: ({ concurrency }, pace) => value(concurrency, pace?.concurrency, String) },
  { label: 'batch time', show: (control, pace) => value(control.batch_time, pace?.batch_time, seconds) },
  {
    label: 'replica lag',
    show: (control, pace) => value(control.max_lag, pace?.max_lag, (lag) => `${seconds(lag)} at most`),
  },
];

const seconds = (value: number): string => `${String(value)} s`;

/** `own` is the value on the command line of the run: undefined where no run is active, null where it set no limit. */
function value(set: number | null, own: number | null | undefined, show: (value: number) => string): string {
  if (set !== null) return show(set);
  if (own === undefined) return "the run's own";
  return `${own === null ? 'any' : show(own)} (the run's own)`;
}

const fromTo = (from: string, to: string): string => (from === to ? to : `${from} → ${to}`);
