import type { ApiOutcomes, Chronicle, Fate } from '../facts/document.js';
import { EXCEPTIONS } from '../../explain/reasons.js';
import { grouped } from '../../console/text.js';
import { bar, stack } from './bars.js';
import { html, type Html } from './html.js';
import { shown, totals } from './totals.js';
import { FATES, share } from './words.js';

/** Rows of the table; the page must not grow with the store. */
const MOST_APIS = 24;

/** What became of the keys: altogether, by the API they were made in, and, for exceptions, by reason. */
export function outcomes(chronicle: Chronicle): Html {
  const { keys, all } = totals(chronicle);
  return html`<section id="outcomes">
    <h2>Outcomes</h2>
    <p>Every per-API key has exactly one. The sum is the table's ${grouped(all)} rows.</p>
    <figure class="wide">
      ${stack(
        FATES.map(({ fate, word }) => ({ kind: fate, value: keys[fate], label: word })),
        { of: all, height: 28 },
      )}
      <figcaption class="legend">
        ${FATES.filter(({ fate }) => keys[fate] > 0).map(
          ({ fate, word, means }) =>
            html`<span
              ><i class="dot ${fate}"></i><b>${word}</b> ${grouped(keys[fate])} (${share(keys[fate], all)}):
              ${means}</span
            >`,
        )}
      </figcaption>
    </figure>
    ${byApi(chronicle.apis)} ${byReason(chronicle.apis, keys.exception)}
  </section>`;
}

function byApi(apis: readonly ApiOutcomes[]): Html {
  const rows = shown(apis, MOST_APIS).map(({ name, api }) => ({ name, ...api, all: sum(api.keys) }));
  const most = Math.max(1, ...rows.map(({ all }) => all));
  const fates = FATES.filter(({ fate }) => rows.some(({ keys }) => keys[fate] > 0));
  return html`<h3>By the API a key was made in</h3>
    <div class="scroll">
      <table class="numbers">
        <thead>
          <tr>
            <th>made in</th>
            <th class="bar" aria-label="shares"></th>
            <th>keys</th>
            ${fates.map(({ word }) => html`<th>${word}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ name, keys, all }) =>
              html`<tr>
                <th scope="row">${name}</th>
                <td class="bar">
                  ${stack(
                    FATES.map(({ fate, word }) => ({ kind: fate, value: keys[fate], label: word })),
                    { of: most, height: 12 },
                  )}
                </td>
                <td>${grouped(all)}</td>
                ${fates.map(({ fate }) => html`<td>${keys[fate] === 0 ? html`<span class="nil">0</span>` : grouped(keys[fate])}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

const sum = (keys: Record<Fate, number>): number => Object.values(keys).reduce((n, more) => n + more, 0);

function byReason(apis: readonly ApiOutcomes[], exceptions: number): Html {
  if (exceptions === 0)
    return html`<h3>Exceptions by reason</h3>
      <p>There are none.</p>`;
  const counts = new Map<string, number>();
  for (const api of apis)
    for (const [reason, n] of Object.entries(api.exceptions_by_reason))
      counts.set(reason, (counts.get(reason) ?? 0) + n);
  const rows = [...counts].sort(([, a], [, b]) => b - a);
  return html`<h3>Exceptions by reason</h3>
    <div class="scroll">
      <table class="numbers reasons">
        <thead>
          <tr>
            <th>reason</th>
            <th class="bar" aria-label="share"></th>
            <th>keys</th>
            <th class="text">what it means</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ([reason, n]) =>
              html`<tr>
                <th scope="row"><code>${reason}</code></th>
                <td class="bar">${bar(n, { of: rows[0]![1], kind: 'exception' })}</td>
                <td>${grouped(n)}</td>
                <td class="text">${EXCEPTIONS[reason] ?? ''}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}
