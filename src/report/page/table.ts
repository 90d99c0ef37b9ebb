import { html, type Html } from './html.js';

/** A column: numbers unless its kind says otherwise. The first column names the rows. */
export interface Column {
  name: string;
  kind?: 'text' | 'bar';
}

export interface Row {
  /** The row's CSS class. */
  kind?: string;
  cells: readonly (Html | string | number)[];
}

/** A table of numbers that scrolls within itself. */
export function numberTable(columns: readonly Column[], rows: readonly Row[], { kind = '' } = {}): Html {
  return html`<div class="scroll">
    <table class="numbers ${kind}">
      <thead>
        <tr>
          ${columns.map(headOf)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr class="${row.kind}">
              ${row.cells.map((cell, at) => cellOf(columns[at]!, cell, at))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

const headOf = ({ name, kind }: Column): Html =>
  kind === 'bar' ? html`<th class="bar" aria-label="${name}"></th>` : html`<th class="${kind}">${name}</th>`;

const cellOf = ({ kind }: Column, cell: Html | string | number, at: number): Html =>
  at === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="${kind}">${cell}</td>`;
