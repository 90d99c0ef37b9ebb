import type { Chronicle, Listed, SetAside } from '../facts/document.js';
import { grouped } from '../../console/text.js';
import { forTerminal } from '../../escaping.js';
import { html, json, type Html } from './html.js';

/** Rows that stand in the page from the start: for paper, and where scripts do not run. */
export const ROWS_AT_FIRST = 100;

const COLUMNS = ['key', 'what', 'account', 'made in', 'name', 'fingerprint', 'life', 'created'] as const;

/** A row's cells, in the order of the columns. */
type Cells = readonly string[];

/** Exceptions and merged keys as one table that can be searched. */
export function keys({ exceptions, merges }: Chronicle): Html {
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
              ${told('exceptions', exceptions)} ${told('merged keys', merges)} A key is shown by its id, its name and a
              fingerprint, never by its token.
            </p>
            <p class="search">
              <label
                >Search
                <input
                  id="search"
                  type="search"
                  autocomplete="off"
                  placeholder="id, reason, account, API, name, fingerprint"
              /></label>
              <span id="matches" role="status">${shownOf(rows.length)}</span>
            </p>
            <div class="scroll">
              <table id="set-aside" class="keys">
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
            </div>
            <p class="search"><button id="more" type="button" hidden>Show more</button></p>
            <script type="application/json" id="rows">
              ${json(rows)}
            </script>`
    }
  </section>`;
}

const told = (word: string, { total, listed }: Listed<SetAside>): string =>
  total === listed.length
    ? `${grouped(total)} ${word}.`
    : `${grouped(total)} ${word}, the first ${grouped(listed.length)} by id here; ${grouped(total - listed.length)} are left out.`;

const shownOf = (rows: number): string =>
  rows <= ROWS_AT_FIRST ? `${grouped(rows)} rows` : `${String(ROWS_AT_FIRST)} of ${grouped(rows)} rows shown`;

/** The page's script sets these as text, so control characters and line breaks are all that has to be shown. */
function cellsOf(key: SetAside, what: string): Cells {
  const life = key.alive === null ? '' : key.alive ? 'alive' : 'dead';
  const account =
    key.account_id === null ? '' : key.account === null ? `#${key.account_id}` : `${key.account} (#${key.account_id})`;
  const api = key.slug ?? (key.api_id === null ? '' : `#${key.api_id}`);
  return [
    key.key_id,
    what,
    account,
    api,
    key.name ?? '',
    key.fingerprint ?? '',
    life,
    key.created_at?.slice(0, 19) ?? '',
  ].map(forTerminal);
}
