import type { Chronicle } from '../../chronicle/document.js';
import { grouped } from '../text.js';
import { html, type Html } from './html.js';

/** What became of the keys, by the API they were made in. */
export const outcomes = ({ apis }: Chronicle): Html => html`<section id="outcomes"><h2>Outcomes</h2>
<table><thead><tr><th>made in</th>${Object.keys(apis[0]?.keys ?? {}).map((fate) => html`<th>${fate}</th>`)}</tr></thead>
<tbody>${apis.map((api) => html`<tr><th>${api.slug ?? api.origin}</th>${Object.values(api.keys).map((n) => html`<td>${grouped(n)}</td>`)}</tr>`)}</tbody></table></section>`;
