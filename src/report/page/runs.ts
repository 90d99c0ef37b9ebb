import type { Chronicle } from '../../chronicle/document.js';
import { html, type Html } from './html.js';

/** Who ran what when. */
export const runs = (chronicle: Chronicle): Html => html`<section id="runs"><h2>Who ran what when</h2>
<table><thead><tr><th>command</th><th>began</th><th>ended</th><th>exit</th><th>by</th></tr></thead>
<tbody>${chronicle.runs.listed.map((run) => html`<tr><td>${run.command}</td><td>${run.started_at}</td><td>${run.ended_at}</td><td>${run.exit_code}</td><td>${run.database_user} on ${run.host}</td></tr>`)}</tbody></table></section>`;
