import type { Control, Steered } from '../ledger/control.js';
import type { RunPace } from '../ledger/runs.js';
import { table } from './layout.js';

/** What a steering command says when it changed something, and when that was so before. */
export interface SteeringWords {
  done: string;
  unchanged: string;
}

/** What was changed, from what to what, and what holds beside it. */
export function steeringText({ before, after, run }: Steered, { done, unchanged }: SteeringWords): string {
  const pace = run?.pace ?? null;
  const same = Object.keys(changesOf({ before, after })).length === 0;
  return [
    same ? unchanged : done,
    table(LINES.map(({ label, show }) => [label, fromTo(show(before, pace), show(after, pace))])),
    ...(run === null ? ['  No run is at work; the next one begins with this.'] : []),
    '',
  ].join('\n');
}

/** The values that another one took the place of, under the names of `--json`. */
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

/** `own` is what the run's command line asked for: undefined where no run is at work, null where it set no limit. */
function value(set: number | null, own: number | null | undefined, show: (value: number) => string): string {
  if (set !== null) return show(set);
  if (own === undefined) return "the run's own";
  return `${own === null ? 'any' : show(own)} (the run's own)`;
}

const fromTo = (from: string, to: string): string => (from === to ? to : `${from} → ${to}`);
