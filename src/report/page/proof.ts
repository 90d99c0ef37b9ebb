import type { Chronicle } from '../facts/document.js';
import type { Proof } from '../../proof/document.js';
import { elapsed, grouped } from '../../console/text.js';
import { html, type Html } from './html.js';
import { time } from './words.js';

/** The last proof with its counters, and the list of those before it. */
export function proof(chronicle: Chronicle): Html {
  const { last_proof: last, proofs } = chronicle;
  return html`<section id="proof">
    <h2>The proof</h2>
    ${
      last === null
        ? html`<p>This attempt was not proven yet.</p>`
        : html`<p class="verdict ${last.ok ? 'good' : 'bad'}">
              <strong>${last.ok ? 'It holds.' : 'It found differences.'}</strong> ${time(last.proven_at)} UTC:
              ${grouped(last.document.rows)} rows looked at, ${grouped(last.document.asked)} answers of
              keylift.authorize asked, ${elapsed(last.document.seconds)}.
            </p>
            <div class="pair">${counters(last.document)}${differences(last.document)}</div>`
    }
    ${proofs.total > 1 ? history(chronicle) : null}
  </section>`;
}

interface Counter {
  name: string;
  value: number;
  /** What it must be; null where any count is right. */
  must: number | null;
  means: string;
}

function countersOf({ keys, authorization: a }: Proof): Counter[] {
  return [
    {
      name: 'compared',
      value: keys.compared,
      must: null,
      means: 'account keys held against their source, field by field',
    },
    { name: 'missing', value: keys.missing, must: 0, means: 'source rows nobody accounts for' },
    { name: 'extra', value: keys.extra, must: 0, means: 'account keys that come from nowhere' },
    { name: 'different', value: keys.different, must: 0, means: 'account keys unequal to their source' },
    { name: 'lost', value: a.lost, must: 0, means: 'opened before, not any more' },
    {
      name: 'gained_store',
      value: a.gained_store,
      must: a.predicted_gained_store,
      means: 'store APIs newly open, as the source alone predicts',
    },
    { name: 'gained_custom', value: a.gained_custom, must: 0, means: 'a custom API newly open' },
    { name: 'gained_foreign', value: a.gained_foreign, must: 0, means: 'the answer names another account' },
    { name: 'revived', value: a.revived, must: 0, means: 'a dead key opens' },
  ];
}

const counters = (proved: Proof): Html =>
  html`<div class="scroll">
    <table class="numbers">
      <thead>
        <tr>
          <th>counter</th>
          <th>found</th>
          <th>must be</th>
          <th class="text">what it counts</th>
        </tr>
      </thead>
      <tbody>
        ${countersOf(proved).map(
          ({ name, value, must, means }) =>
            html`<tr class="${must === null || must === value ? 'ok' : 'wrong'}">
              <th scope="row"><code>${name}</code></th>
              <td>${grouped(value)}</td>
              <td>${must === null ? '' : grouped(must)}</td>
              <td class="text">${means}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

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
          ({ key_id: id, kind, fields, authorization, api_id: api }) =>
            html`<tr>
              <td>${id ?? ''}</td>
              <td>${kind}</td>
              <td>
                ${[...(fields ?? []), ...(authorization ?? []), ...(api === undefined ? [] : [`API ${api}`])].join(', ')}
              </td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const history = ({ proofs }: Chronicle): Html =>
  html`<h3>Proofs so far</h3>
    <div class="scroll">
      <table class="numbers">
        <thead>
          <tr>
            <th>when</th>
            <th>attempt</th>
            <th>compared</th>
            <th>took</th>
            <th class="text">result</th>
          </tr>
        </thead>
        <tbody>
          ${proofs.listed.map(
            ({ proven_at: at, attempt, compared, seconds, ok }) =>
              html`<tr>
                <th scope="row">${time(at)}</th>
                <td>${attempt}</td>
                <td>${grouped(compared)}</td>
                <td>${elapsed(seconds)}</td>
                <td class="text">${ok ? 'holds' : 'differs'}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${proofs.total > proofs.listed.length ? html`<p>The latest ${grouped(proofs.listed.length)} of ${grouped(proofs.total)}.</p>` : null}`;
