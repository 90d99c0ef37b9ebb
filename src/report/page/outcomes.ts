import { EXCEPTIONS } from '../../explain/wording.js';
import { grouped } from '../../format.js';
import type { ApiOutcomes, ReportFacts, ReportOutcome } from '../facts/document.js';
import { bar, stack } from './bars.js';
import { html, type Html } from './html.js';
import { OUTCOMES, share } from './labels.js';
import { numberTable } from './table.js';
import { shown, totals } from './totals.js';

/** Rows of the table by API. A large store must not make the page long. */
const MOST_APIS = 24;

/** The outcomes of all keys: together, by the API they were created in, and exceptions by reason. */
export function outcomes(facts: ReportFacts): Html {
  const { keys, all } = totals(facts);
  return html`<section id="outcomes">
    <h2>Outcomes</h2>
    <p>Every per-API key has exactly one outcome. The sum equals the table's ${grouped(all)} rows.</p>
    <figure class="wide">
      ${stack(partsOf(keys), { of: all, height: 28 })}
      <figcaption class="legend">
        ${OUTCOMES.filter(({ outcome }) => keys[outcome] > 0).map(
          ({ outcome, label, means }) =>
            html`<span
              ><i class="dot ${outcome}"></i><b>${label}</b> ${grouped(keys[outcome])} (${share(keys[outcome], all)}):
              ${means}</span
            >`,
        )}
      </figcaption>
    </figure>
    <h3>By the API in which a key was created</h3>
    ${byApi(facts.apis)}
    <h3>Exceptions by reason</h3>
    ${keys.exception === 0 ? html`<p>There are none.</p>` : byReason(facts.apis)}
  </section>`;
}

const partsOf = (keys: Record<ReportOutcome, number>): Parameters<typeof stack>[0] =>
  OUTCOMES.map(({ outcome, label }) => ({ kind: outcome, value: keys[outcome], label }));

const zeroOr = (n: number): Html | string => (n === 0 ? html`<span class="nil">0</span>` : grouped(n));

function byApi(apis: readonly ApiOutcomes[]): Html {
  const rows = shown(apis, MOST_APIS).map(({ name, api }) => ({ name, ...api, all: sum(api.keys) }));
  const most = Math.max(1, ...rows.map(({ all }) => all));
  const present = OUTCOMES.filter(({ outcome }) => rows.some(({ keys }) => keys[outcome] > 0));
  return numberTable(
    [
      { name: 'created in' },
      { name: 'shares', kind: 'bar' },
      { name: 'keys' },
      ...present.map(({ label }) => ({ name: label })),
    ],
    rows.map(({ name, keys, all }) => ({
      cells: [
        name,
        stack(partsOf(keys), { of: most, height: 12 }),
        grouped(all),
        ...present.map(({ outcome }) => zeroOr(keys[outcome])),
      ],
    })),
  );
}

const sum = (keys: Record<ReportOutcome, number>): number => Object.values(keys).reduce((n, more) => n + more, 0);

function byReason(apis: readonly ApiOutcomes[]): Html {
  const counts = new Map<string, number>();
  for (const api of apis)
    for (const [reason, n] of Object.entries(api.exceptions_by_reason))
      counts.set(reason, (counts.get(reason) ?? 0) + n);
  const rows = [...counts].sort(([, a], [, b]) => b - a);
  return numberTable(
    [{ name: 'reason' }, { name: 'share', kind: 'bar' }, { name: 'keys' }, { name: 'what it means', kind: 'text' }],
    rows.map(([reason, n]) => ({
      cells: [
        html`<code>${reason}</code>`,
        bar(n, { of: rows[0]![1], kind: 'exception' }),
        grouped(n),
        EXCEPTIONS[reason] ?? '',
      ],
    })),
    { kind: 'reasons' },
  );
}
