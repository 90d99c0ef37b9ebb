import type { Chronicle } from '../facts/document.js';
import { grouped } from '../../console/text.js';
import { html, type Html } from './html.js';
import { totals, type Totals } from './totals.js';
import { verdictOn } from './verdict.js';
import { share, time } from './words.js';

/** Whose keys, where they stand, and the numbers that matter. */
export function head(chronicle: Chronicle): Html {
  const { database, migration, made_at, version } = chronicle;
  const { tone, title, text } = verdictOn(chronicle);
  return html`<header>
    <p class="eyebrow">keylift ${version} · page made ${time(made_at)} UTC</p>
    <h1>Keys of ${database.name}</h1>
    <div class="verdict ${tone}">
      <strong>${title}</strong>
      <p>${text}</p>
    </div>
    <dl class="tiles">
      ${tiles(chronicle, totals(chronicle)).map(
        ({ name, value, beside }) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}${beside === '' ? '' : html` <small>${beside}</small>`}</dd>
          </div>`,
      )}
    </dl>
    <dl class="facts">
      <div>
        <dt>database</dt>
        <dd>${database.name} on ${database.host}:${database.port}, PostgreSQL ${database.server_version}</dd>
      </div>
      <div>
        <dt>tables</dt>
        <dd>${unquoted(database.keys)} → ${unquoted(database.target)}</dd>
      </div>
      <div>
        <dt>attempt</dt>
        <dd>
          ${migration.attempt}, begun ${time(migration.started_at)} UTC, last change ${time(migration.changed_at)} UTC
        </dd>
      </div>
    </dl>
  </header>`;
}

/** Names come quoted for SQL; people read them without, where that is the same name. */
const unquoted = (table: string): string => table.replace(/"([a-z_][a-z0-9_]*)"/g, '$1');

interface Tile {
  name: string;
  value: string;
  beside: string;
}

function tiles({ accounts, last_proof: proof, born_in_settings: born }: Chronicle, { keys, all }: Totals): Tile[] {
  return [
    { name: 'per-API keys', value: grouped(all), beside: '' },
    { name: 'moved', value: grouped(keys.move), beside: share(keys.move, all) },
    { name: 'merged', value: grouped(keys.merge), beside: '' },
    { name: 'stay', value: grouped(keys.stay), beside: 'custom APIs' },
    { name: 'held', value: grouped(keys.hold), beside: '' },
    { name: 'exceptions', value: grouped(keys.exception), beside: '' },
    ...(keys.to_come === 0 ? [] : [{ name: 'to come', value: grouped(keys.to_come), beside: '' }]),
    ...(born.keys === 0 ? [] : [{ name: 'made in Settings', value: grouped(born.keys), beside: '' }]),
    { name: 'accounts switched', value: grouped(accounts.switched), beside: `of ${grouped(accounts.total)}` },
    { name: 'proof', value: proof === null ? 'none yet' : proof.ok ? 'holds' : 'differs', beside: '' },
  ];
}
