import type { Chronicle } from '../../chronicle/document.js';
import { html } from './html.js';
import { outcomes } from './outcomes.js';
import { runs } from './runs.js';

/** The page of a migration, whole: markup, style and script in one text that asks nobody for anything. */
export function page(chronicle: Chronicle): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>keylift: ${chronicle.database.name}</title>
</head>
<body>
<h1>keylift: ${chronicle.database.name}</h1>
${outcomes(chronicle)}
${runs(chronicle)}
</body>
</html>
`.text;
}
