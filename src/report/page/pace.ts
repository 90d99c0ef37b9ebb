import type { Chronicle, Timeline } from '../facts/document.js';
import { counted, elapsed, grouped } from '../../console/text.js';
import { bar } from './bars.js';
import { html, type Html } from './html.js';
import { drawTimeline } from './timeline.js';

/** How fast it went, and what it waited for. */
export function pace({ timeline }: Chronicle): Html {
  return html`<section id="pace">
    <h2>Pace and waiting</h2>
    ${timeline.batches.done === 0 ? html`<p>No batch is done yet.</p>` : drawn(timeline)} ${stages(timeline)}
    ${waits(timeline)}
  </section>`;
}

function drawn(timeline: Timeline): Html {
  const { spells, batches } = timeline;
  const rows = spells.reduce((sum, spell) => sum + spell.rows.reduce((n, more) => n + more, 0), 0);
  const seconds = spells.reduce((sum, spell) => sum + spell.seconds, 0);
  return html`<p>
      ${counted(Math.round(rows), 'key')} in ${batches.done === 1 ? '1 batch' : `${grouped(batches.done)} batches`},
      ${elapsed(seconds)} of migrate at work${spells.length > 1 ? ` in ${String(spells.length)} spells` : ''}.
      ${batches.open > 0 ? `${counted(batches.open, 'range')} of keys still to come.` : ''}
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
    <div class="scroll">
      <table class="numbers">
        <thead>
          <tr>
            <th>stage</th>
            <th class="bar" aria-label="share"></th>
            <th>took</th>
            <th class="text">completed</th>
          </tr>
        </thead>
        <tbody>
          ${done.map(
            ({ stage, at, seconds }) =>
              html`<tr>
                <th scope="row">${stage}</th>
                <td class="bar">${bar(seconds, { of: most, kind: 'pace', told: elapsed(seconds) })}</td>
                <td>${elapsed(seconds)}</td>
                <td class="text">${at.slice(0, 19).replace('T', ' ')}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function waits({ waited }: Timeline): Html {
  if (waited.length === 0)
    return html`<h3>Waiting</h3>
      <p>The run never had to wait.</p>`;
  return html`<h3>Waiting</h3>
    <div class="scroll">
      <table class="numbers">
        <thead>
          <tr>
            <th>for</th>
            <th>times</th>
            <th>together</th>
            <th class="text">as it was told</th>
          </tr>
        </thead>
        <tbody>
          ${waited.map(
            ({ kind, reason, times, seconds }) =>
              html`<tr>
                <th scope="row">${WAITS[kind]}</th>
                <td>${grouped(times)}</td>
                <td>${elapsed(seconds)}</td>
                <td class="text">${reason}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

const WAITS: Record<Timeline['waited'][number]['kind'], string> = {
  paused: 'an operator',
  lag: 'a replica',
  blocked: 'sessions it would block',
  active: 'a busy database',
  vacuum: 'autovacuum',
  connection: 'the database',
  ranges: 'other sessions',
  lock: 'a lock',
};
