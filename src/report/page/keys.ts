import { forTerminal } from '../../escaping.js';
import { grouped } from '../../format.js';
import type { Listed, ListedKey, ReportFacts } from '../facts/document.js';
import { html, json, type Html } from './html.js';

/** Rows in the markup itself, for paper and for browsers without scripts. The script shows all of them. */
const ROWS_AT_FIRST = 100;

const COLUMNS = ['key', 'outcome', 'account', 'created in', 'name', 'fingerprint', 'life', 'created'] as const;

/** The cells of a row, in the order of the columns. */
type Cells = readonly string[];

/** Exceptions and merged keys in one table that can be searched. */
export function keys({ exceptions, merges }: ReportFacts): Html {
  const rows = [
    ...exceptions.listed.map((key) => cellsOf(key, key.reason ?? 'exception')),
    ...merges.listed.map((key) => cellsOf(key, `merged into ${key.account_key_id ?? '?'}`)),
  ];
  return html`<section id="keys">
    <h2>Exceptions and merged keys</h2>
    ${
      rows.length === 0
        ? html`<p>There are none.</p>`
        : html`<p>
              ${countText('exceptions', exceptions)} ${countText('merged keys', merges)} A key is shown by its id, its
              name and a fingerprint, never by its token.
            </p>
            ${search(rows)} ${table(rows)}
            <p class="search"><button id="more" type="button" hidden>Show more</button></p>
            <script type="application/json" id="rows">
              ${json(rows)}
            </script>`
    }
  </section>`;
}

const search = (rows: readonly Cells[]): Html =>
  html`<p class="search">
    <label
      >Search
      <input id="search" type="search" autocomplete="off" placeholder="id, reason, account, API, name, fingerprint"
    /></label>
    <span id="matches" role="status">${shownText(rows.length)}</span>
  </p>`;

const table = (rows: readonly Cells[]): Html =>
  html`<div class="scroll">
    <table id="listed" class="keys">
      <thead>
        <tr>
          ${COLUMNS.map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.slice(0, ROWS_AT_FIRST).map(
          (cells) =>
            html`<tr>
              ${cells.map((cell) => html`<td><bdi>${cell}</bdi></td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;

function countText(noun: string, { total, listed }: Listed<ListedKey>): string {
  if (total === listed.length) return `${grouped(total)} ${noun}.`;
  const left = grouped(total - listed.length);
  return `${grouped(total)} ${noun}; the first ${grouped(listed.length)} by id are listed, ${left} are left out.`;
}

const shownText = (rows: number): string =>
  rows <= ROWS_AT_FIRST ? `${grouped(rows)} rows` : `${String(ROWS_AT_FIRST)} of ${grouped(rows)} rows shown`;

/** The page's script sets the cells as text, so only controls and line breaks need an escape here. */
function cellsOf(key: ListedKey, outcome: string): Cells {
  const account = key.account === null ? `#${key.account_id ?? ''}` : `${key.account} (#${key.account_id ?? ''})`;
  const api = key.slug ?? (key.api_id === null ? '' : `#${key.api_id}`);
  return [
    key.key_id,
    outcome,
    key.account_id === null ? '' : account,
    api,
    key.name ?? '',
    key.fingerprint ?? '',
    key.alive === null ? '' : key.alive ? 'alive' : 'dead',
    key.created_at?.slice(0, 19) ?? '',
  ].map(forTerminal);
}
