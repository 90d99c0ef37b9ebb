import type { ApiOutcomes, Chronicle } from '../facts/document.js';
import { grouped } from '../../console/text.js';
import { html, type Html } from './html.js';
import { nameOf, shown, totals } from './totals.js';

/** Columns and rows for single APIs; the store's others share one. */
const MOST_APIS = 10;
/** More columns than this do not fit beside one another. */
const BESIDE = 6;

/** Living keys made in one place: those that answer as account keys, and those that go on by themselves. */
interface Row {
  name: string;
  /** Column that is its own API; null where it has none, or several. */
  own: string | null;
  wide: number;
  narrow: number;
}

/** What living keys open: by the old rule, and by the new one. */
export function matrix(chronicle: Chronicle): Html {
  const columns = columnsOf(chronicle);
  const rows = rowsOf(chronicle.apis, columns);
  const born = chronicle.born_in_settings.alive;
  return html`<section id="access">
    <h2>Who opens what</h2>
    <p>
      Living keys by the place they were made in, and how many of them open each API. Every key is counted by itself,
      dead ones nowhere; whether an account subscribes to an API is not keylift's to say.
    </p>
    <div class="${columns.names.length > BESIDE ? 'below' : 'pair'}">
      <figure>
        ${grid({ columns, rows, cell: (row, column) => (row.own === column ? row.wide + row.narrow : 0) })}
        <figcaption><b>Before.</b> Each key opens the API it was made in.</figcaption>
      </figure>
      <figure>
        ${grid({
          columns,
          rows: [...rows, ...(born === 0 ? [] : [{ name: 'Settings', own: null, wide: born, narrow: 0 }])],
          cell: (row, column) =>
            column === CUSTOM
              ? row.own === CUSTOM
                ? row.narrow
                : 0
              : row.wide + (row.own === column ? row.narrow : 0),
        })}
        <figcaption><b>After.</b> ${after(chronicle)}</figcaption>
      </figure>
    </div>
  </section>`;
}

const CUSTOM = 'custom APIs';

function after({ migration, status, apis }: Chronicle): string {
  const { to_come: toCome } = totals({ apis }).keys;
  if (migration.state === 'rolled_back')
    return 'Taken back: keys open what they opened, and so do keys made in Settings.';
  const waiting = toCome === 0 ? '' : ` ${grouped(toCome)} keys are still to come and count as they are.`;
  if (status.switched === 'all') return `As every account is answered now.${waiting}`;
  return `Once every account is switched; ${status.switched === 'some' ? 'some are' : 'none is yet'}.${waiting}`;
}

interface Columns {
  names: string[];
  /** Store APIs that share the last column. */
  more: number;
}

function columnsOf({ apis, store_apis: store }: Chronicle): Columns {
  const used = apis.filter(({ origin }) => origin === 'store').map(nameOf);
  const idle = store
    .filter(({ api_id: id }) => !apis.some((api) => api.api_id === id))
    .map(({ slug, api_id: id }) => slug ?? `API ${id}`);
  const names = [...used, ...idle];
  const more = names.length - MOST_APIS;
  return more > 1
    ? { names: [...names.slice(0, MOST_APIS), `${String(more)} more`, CUSTOM], more }
    : { names: [...names, CUSTOM], more: 0 };
}

/** Of APIs that share a row, a key opens one before and each of them after. */
const rowsOf = (apis: readonly ApiOutcomes[], { names, more }: Columns): Row[] =>
  shown(apis, MOST_APIS)
    .filter(({ api }) => api.origin !== 'missing')
    .map(({ name, api }) => ({
      name,
      own: api.origin === 'custom' ? CUSTOM : api.api_id !== null ? name : more === 0 ? null : names.at(-2)!,
      wide: api.alive.move + api.alive.merge,
      narrow: api.alive.stay + api.alive.hold + api.alive.exception + api.alive.to_come,
    }));

function grid({
  columns,
  rows,
  cell,
}: {
  columns: Columns;
  rows: readonly Row[];
  cell: (row: Row, column: string) => number;
}): Html {
  return html`<div class="scroll">
    <table class="matrix">
      <thead>
        <tr>
          <th>made in</th>
          ${columns.names.map((name) => html`<th scope="col"><span>${name}</span></th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              <th scope="row">${row.name}</th>
              ${columns.names.map((column) => {
                const n = cell(row, column);
                return html`<td class="${shade(n, row.wide + row.narrow)}">${n === 0 ? '·' : grouped(n)}</td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const shade = (n: number, of: number): string => (n === 0 ? 's0' : n < of * 0.25 ? 's1' : n < of * 0.75 ? 's2' : 's3');
