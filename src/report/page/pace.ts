import { counted, elapsed, grouped, milliseconds } from '../../format.js';
import type { ReportFacts, Timeline } from '../facts/document.js';
import { bar } from './bars.js';
import { html, type Html } from './html.js';
import { clock } from './labels.js';
import { numberTable } from './table.js';
import { drawTimeline } from './timeline.js';

/** The rate of the batches over time, and what the runs waited for. */
export function pace({ timeline }: ReportFacts): Html {
  return html`<section id="pace">
    <h2>Pace and waiting</h2>
    ${timeline.batches.done === 0 ? html`<p>No batch is done yet.</p>` : drawn(timeline)} ${stages(timeline)}
    <h3>Waiting</h3>
    ${timeline.waited.length === 0 ? html`<p>No run had to wait.</p>` : waits(timeline)}
    ${timeline.lookups.length === 0 ? html`` : lookups(timeline)}
  </section>`;
}

function drawn(timeline: Timeline): Html {
  const { spells: periods, batches } = timeline;
  const rows = periods.reduce((sum, period) => sum + period.rows.reduce((n, more) => n + more, 0), 0);
  const seconds = periods.reduce((sum, period) => sum + period.seconds, 0);
  return html`<p>
      ${counted(Math.round(rows), 'key')} in ${counted(batches.done, 'batch', 'batches')}; migrate was active for
      ${elapsed(seconds)}${periods.length > 1 ? ` in ${String(periods.length)} periods` : ''}.
      ${batches.open > 0 ? `${counted(batches.open, 'range')} of keys are still to come.` : ''}
    </p>
    <figure class="wide">
      ${drawTimeline(timeline)}
      <figcaption class="legend">
        <span><i class="dot pace"></i>keys a second</span><span><i class="dot waiting"></i>waiting</span
        ><span>below: the stages; times are UTC</span>
      </figcaption>
    </figure>`;
}

function stages({ stages: done }: Timeline): Html {
  if (done.length === 0) return html``;
  const most = Math.max(0.001, ...done.map(({ seconds }) => seconds));
  return html`<h3>Stages</h3>
    ${numberTable(
      [{ name: 'stage' }, { name: 'share', kind: 'bar' }, { name: 'took' }, { name: 'completed', kind: 'text' }],
      done.map(({ stage, at, seconds }) => ({
        cells: [stage, bar(seconds, { of: most, kind: 'pace', label: elapsed(seconds) }), elapsed(seconds), clock(at)],
      })),
    )}`;
}

const waits = ({ waited }: Timeline): Html =>
  numberTable(
    [{ name: 'for' }, { name: 'times' }, { name: 'together' }, { name: 'for example', kind: 'text' }],
    waited.map(({ kind, reason, times, seconds }) => ({
      cells: [WAITS[kind], grouped(times), elapsed(seconds), reason],
    })),
  );

const lookups = ({ lookups: timed }: Timeline): Html =>
  html`<h3>Key lookups</h3>
    <p>While keys were copied, runs with --max-latency timed the platform's own key lookup.</p>
    ${numberTable(
      [{ name: 'run', kind: 'text' }, { name: '95 of 100 within' }, { name: 'limit' }, { name: 'lookups timed' }],
      timed.map(({ run_id, p95_seconds, limit_seconds, samples }) => ({
        cells: [run_id, milliseconds(p95_seconds), milliseconds(limit_seconds), grouped(samples)],
      })),
    )}`;

const WAITS: Record<Timeline['waited'][number]['kind'], string> = {
  paused: 'an operator',
  lag: 'a replica',
  blocked: 'sessions that it would block',
  active: 'a busy database',
  vacuum: 'autovacuum',
  connection: 'the database',
  ranges: 'other sessions',
  lock: 'a lock',
  query: 'the query of --throttle-query',
  url: 'the URL of --throttle-url',
  latency: 'slow key lookups',
};
