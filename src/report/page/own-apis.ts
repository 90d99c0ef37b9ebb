import { counted, grouped } from '../../format.js';
import type { OwnApis, ReportFacts } from '../facts/document.js';
import { html, type Html } from './html.js';
import { captionAfter } from './caption.js';
import { totals } from './totals.js';

/** Numbers of APIs with a row of their own. The others share one. */
const MOST_ROWS = 10;

/** What account keys open, where each account has store APIs of its own. */
export function ownApisSection(facts: ReportFacts): Html {
  const own = facts.own_apis ?? [];
  const { alive } = totals(facts);
  const unchanged = alive.stay + alive.hold + alive.exception + alive.to_come;
  return html`<section id="access">
    <h2>Who opens what</h2>
    <p>
      An account key opens the APIs of its own account and no other. Living account keys by the number of APIs that
      their account has; native keys are among them. ${counted(unchanged, 'living key')} open what they opened before.
    </p>
    <figure>
      <div class="scroll">
        <table class="matrix">
          <thead>
            <tr>
              <th>APIs of the account</th>
              ${[
                'accounts',
                'account keys',
                'a per-API key opens',
                'an account key opens',
                'APIs of other accounts',
              ].map((name) => html`<th scope="col"><span>${name}</span></th>`)}
            </tr>
          </thead>
          <tbody>
            ${own.slice(0, MOST_ROWS).map(rowOf)} ${restOf(own.slice(MOST_ROWS))}
          </tbody>
        </table>
      </div>
      <figcaption><b>After.</b> ${captionAfter(facts)}</figcaption>
    </figure>
  </section>`;
}

const rowOf = ({ apis, accounts, keys }: OwnApis): Html => {
  const n = grouped(apis);
  return cells(n, [
    grouped(accounts),
    grouped(keys),
    apis === 0 ? '·' : `1 of ${n}`,
    apis === 0 ? '·' : `${n} of ${n} of its own`,
    '·',
  ]);
};

/** Accounts with other numbers of APIs; none where each number has a row. */
function restOf(rest: readonly OwnApis[]): Html | string {
  if (rest.length === 0) return '';
  const sum = (of: (row: OwnApis) => number): string => grouped(rest.reduce((n, row) => n + of(row), 0));
  return cells('other numbers', [sum((row) => row.accounts), sum((row) => row.keys), '1', 'all of its own', '·']);
}

const cells = (name: string, values: readonly string[]): Html =>
  html`<tr>
    <th scope="row">${name}</th>
    ${values.map((value) => html`<td class="s0">${value}</td>`)}
  </tr>`;
