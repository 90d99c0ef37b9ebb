import { elapsed, grouped } from '../../format.js';
import type { Proof } from '../../proof/document.js';
import type { ReportFacts } from '../facts/document.js';
import { html, type Html } from './html.js';
import { time } from './labels.js';
import { numberTable } from './table.js';

/** The last proof with its counters, and a list of all proofs. */
export function proof(facts: ReportFacts): Html {
  const { last_proof: last, proofs } = facts;
  return html`<section id="proof">
    <h2>The proof</h2>
    ${last === null ? html`<p>There is no proof of this attempt yet.</p>` : latest(last)}
    ${proofs.total > 1 ? all(proofs) : null}
  </section>`;
}

const latest = ({ ok, proven_at: at, document }: NonNullable<ReportFacts['last_proof']>): Html =>
  html`<p class="summary ${ok ? 'good' : 'bad'}">
      <strong>${ok ? 'It passed.' : 'It found differences.'}</strong> ${time(at)} UTC: ${grouped(document.rows)} rows
      compared, ${grouped(document.asked)} calls of keylift.authorize, ${elapsed(document.seconds)}.
    </p>
    <div class="pair">${counters(document)}${differences(document)}</div>`;

interface Counter {
  name: string;
  value: number;
  /** What it must be; null where any count is right. */
  must: number | null;
  means: string;
}

function countersOf({ keys, authorization: a }: Proof): Counter[] {
  const zero = (name: string, value: number, means: string): Counter => ({ name, value, must: 0, means });
  const predicted = a.predicted_gained_store;
  return [
    { name: 'compared', value: keys.compared, must: null, means: 'account keys compared field by field' },
    zero('missing', keys.missing, 'source rows without account key or reason'),
    zero('extra', keys.extra, 'account keys without a source row'),
    zero('different', keys.different, 'account keys unequal to their source row'),
    zero('lost', a.lost, 'opened before, not now'),
    {
      name: 'gained_store',
      value: a.gained_store,
      must: predicted,
      means: 'store APIs that are newly open, as computed from the source alone',
    },
    zero('gained_custom', a.gained_custom, 'custom APIs that are newly open'),
    zero('gained_foreign', a.gained_foreign, 'answers that name another account, or open its APIs'),
    zero('revived', a.revived, 'dead keys that open an API'),
  ];
}

const counters = (proved: Proof): Html =>
  numberTable(
    [{ name: 'counter' }, { name: 'found' }, { name: 'must be' }, { name: 'what it counts', kind: 'text' }],
    countersOf(proved).map(({ name, value, must, means }) => ({
      kind: must === null || must === value ? 'ok' : 'wrong',
      cells: [html`<code>${name}</code>`, grouped(value), must === null ? '' : grouped(must), means],
    })),
  );

function differences({ differences: found }: Proof): Html | null {
  if (found.length === 0) return null;
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th>key</th>
          <th>kind</th>
          <th>where</th>
        </tr>
      </thead>
      <tbody>
        ${found.map(
          (difference) =>
            html`<tr>
              <td>${difference.key_id ?? ''}</td>
              <td>${difference.kind}</td>
              <td>${whereText(difference)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const whereText = ({ fields, authorization, api_id: api }: Proof['differences'][number]): string =>
  [...(fields ?? []), ...(authorization ?? []), ...(api === undefined ? [] : [`API ${api}`])].join(', ');

const all = ({ total, listed }: ReportFacts['proofs']): Html =>
  html`<h3>All proofs</h3>
    ${numberTable(
      [{ name: 'when' }, { name: 'attempt' }, { name: 'compared' }, { name: 'took' }, { name: 'result', kind: 'text' }],
      listed.map(({ proven_at: at, attempt, compared, seconds, ok }) => ({
        cells: [time(at), attempt ?? '', grouped(compared), elapsed(seconds), ok ? 'passed' : 'failed'],
      })),
    )}
    ${total > listed.length ? html`<p>The latest ${grouped(listed.length)} of ${grouped(total)}.</p>` : null}`;
