import { createHash } from 'node:crypto';
import type { Chronicle } from '../facts/document.js';
import { head } from './head.js';
import { Html, html } from './html.js';
import { keys } from './keys.js';
import { matrix } from './matrix.js';
import { outcomes } from './outcomes.js';
import { pace } from './pace.js';
import { proof } from './proof.js';
import { SCRIPT } from './script.js';
import { STYLE } from './style.js';
import { runs, story } from './trail.js';

/** The sections in their order: the anchor, its word, and what draws it. */
const SECTIONS: readonly (readonly [string, string, (chronicle: Chronicle) => Html])[] = [
  ['story', 'story', story],
  ['outcomes', 'outcomes', outcomes],
  ['pace', 'pace and waiting', pace],
  ['access', 'who opens what', matrix],
  ['proof', 'proof', proof],
  ['keys', 'exceptions and merged keys', keys],
  ['runs', 'who ran what', runs],
];

const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The policy has the hash of the exact text, so no formatter may put a blank into the element. */
const element = (tag: 'style' | 'script', text: string): Html => new Html(`<${tag}>${text}</${tag}>`);

/** Nothing but this very style and this very script may act, whatever a name in the page holds. */
const POLICY = `default-src 'none'; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'`;

/** The page of a migration, whole: markup, style and script in one text that asks nobody for anything. */
export function page(chronicle: Chronicle): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="referrer" content="no-referrer" />
        <title>keylift: ${chronicle.database.name}</title>
        ${element('style', STYLE)}
      </head>
      <body>
        ${head(chronicle)}
        <nav>${SECTIONS.map(([anchor, word]) => html`<a href="#${anchor}">${word}</a>`)}</nav>
        ${SECTIONS.map(([, , draw]) => draw(chronicle))}
        <footer>
          Drawn by keylift ${chronicle.version} from its ledger and the tables as they were at ${chronicle.made_at}. It
          holds no token; names are customers' words.
        </footer>
        ${element('script', SCRIPT)}
      </body>
    </html> `.text;
}
