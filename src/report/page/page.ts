import { createHash } from 'node:crypto';
import type { ReportFacts } from '../facts/document.js';
import { head } from './head.js';
import { Html, html } from './html.js';
import { keys } from './keys.js';
import { matrix } from './matrix.js';
import { outcomes } from './outcomes.js';
import { pace } from './pace.js';
import { proof } from './proof.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';
import { history, runs } from './history.js';
import { surroundings } from './surroundings.js';

/** The sections in order: anchor, label, and the function that draws it. */
const SECTIONS: readonly (readonly [string, string, (facts: ReportFacts) => Html])[] = [
  ['history', 'history', history],
  ['outcomes', 'outcomes', outcomes],
  ['pace', 'pace and waiting', pace],
  ['access', 'who opens what', matrix],
  ['proof', 'proof', proof],
  ['keys', 'exceptions and merged keys', keys],
  ['surroundings', 'around the tables', surroundings],
  ['runs', 'runs', runs],
];

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The policy contains the hash of the exact text, so a formatter must not add white space to the element. */
const element = (tag: 'style' | 'script', text: string): Html => new Html(`<${tag}>${text}</${tag}>`);

/** Allows this style and this script only, whatever a name in the page contains. */
const POLICY = [
  "default-src 'none'",
  `style-src ${hash(STYLE)}`,
  `script-src ${hash(SCRIPT)}`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** The page: markup, style and script in one text that loads nothing. */
export function page(facts: ReportFacts): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>keylift: ${facts.database.name}</title>
        ${element('style', STYLE)}
      </head>
      <body>
        ${head(facts)}
        <nav>${SECTIONS.map(([anchor, label]) => html`<a href="#${anchor}">${label}</a>`)}</nav>
        ${SECTIONS.map(([, , draw]) => draw(facts))}
        <footer>
          Made by keylift ${facts.version} from its ledger and the tables at ${facts.made_at}. It contains no token;
          customers have chosen the names.
        </footer>
        ${element('script', SCRIPT)}
      </body>
    </html> `.text;
}
