import { grouped } from '../../format.js';
import type { ApiOutcomes, ReportFacts } from '../facts/document.js';
import { html, type Html } from './html.js';
import { captionAfter } from './caption.js';
import { ownApisSection } from './own-apis.js';
import { nameOf, shown } from './totals.js';

/** Store APIs with a column and a row of their own. The others share one. */
const MOST_APIS = 10;
/** Up to this many columns the two tables fit next to each other. */
const MOST_COLUMNS_IN_PAIR = 6;

/** Living keys that were created in one API. */
interface Row {
  name: string;
  /** The column of that API; null where it has none, or several. */
  own: string | null;
  /** Keys that open the store after the switch. */
  widened: number;
  /** Keys that open the same as before. */
  unchanged: number;
}

/** The APIs that living keys open, by the old rule and by the new one. */
export function matrix(facts: ReportFacts): Html {
  if (facts.own_apis !== undefined) return ownApisSection(facts);
  const columns = columnsOf(facts);
  const rows = rowsOf(facts.apis, columns);
  const native = facts.born_in_settings.alive;
  const settings: Row[] = native === 0 ? [] : [{ name: 'Settings', own: null, widened: native, unchanged: 0 }];
  return html`<section id="access">
    <h2>Who opens what</h2>
    <p>
      Living keys by the API they were created in, and how many of them open each API. Each key counts once in each row;
      dead keys do not count. keylift does not know whether an account has subscribed to an API.
    </p>
    <div class="${columns.names.length > MOST_COLUMNS_IN_PAIR ? 'below' : 'pair'}">
      <figure>
        ${grid({ columns, rows, cell: keysBefore })}
        <figcaption><b>Before.</b> Each key opens the API it was created in.</figcaption>
      </figure>
      <figure>
        ${grid({ columns, rows: [...rows, ...settings], cell: keysAfter })}
        <figcaption><b>After.</b> ${captionAfter(facts)}</figcaption>
      </figure>
    </div>
  </section>`;
}

const CUSTOM = 'custom APIs';

const keysBefore = ({ own, widened, unchanged }: Row, column: string): number =>
  own === column ? widened + unchanged : 0;

function keysAfter({ own, widened, unchanged }: Row, column: string): number {
  const kept = own === column ? unchanged : 0;
  return column === CUSTOM ? kept : widened + kept;
}

interface Columns {
  names: string[];
  /** Store APIs that share the last column but one. */
  more: number;
}

function columnsOf({ apis, store_apis: store }: ReportFacts): Columns {
  const withKeys = apis.filter(({ origin }) => origin === 'store').map(nameOf);
  const withoutKeys = store
    .filter(({ api_id: id }) => !apis.some((api) => api.api_id === id))
    .map(({ slug, api_id: id }) => slug ?? `API ${id}`);
  const names = [...withKeys, ...withoutKeys];
  const more = names.length - MOST_APIS;
  return more > 1
    ? { names: [...names.slice(0, MOST_APIS), `${String(more)} more`, CUSTOM], more }
    : { names: [...names, CUSTOM], more: 0 };
}

/** APIs that share a row share a column, too. */
const rowsOf = (apis: readonly ApiOutcomes[], { names, more }: Columns): Row[] =>
  shown(apis, MOST_APIS)
    .filter(({ api }) => api.origin !== 'missing')
    .map(({ name, api }) => ({
      name,
      own: api.origin === 'custom' ? CUSTOM : api.api_id !== null ? name : more === 0 ? null : names.at(-2)!,
      widened: api.alive.move + api.alive.merge,
      unchanged: api.alive.stay + api.alive.hold + api.alive.exception + api.alive.to_come,
    }));

interface Grid {
  columns: Columns;
  rows: readonly Row[];
  cell: (row: Row, column: string) => number;
}

function grid({ columns, rows, cell }: Grid): Html {
  return html`<div class="scroll">
    <table class="matrix">
      <thead>
        <tr>
          <th>created in</th>
          ${columns.names.map((name) => html`<th scope="col"><span>${name}</span></th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              <th scope="row">${row.name}</th>
              ${columns.names.map((column) => cellOf(cell(row, column), row.widened + row.unchanged))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const cellOf = (n: number, of: number): Html => html`<td class="${shade(n, of)}">${n === 0 ? '·' : grouped(n)}</td>`;

const shade = (n: number, of: number): string => (n === 0 ? 's0' : n < of * 0.25 ? 's1' : n < of * 0.75 ? 's2' : 's3');
