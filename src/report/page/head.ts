import type { ReportFacts } from '../facts/document.js';
import { grouped } from '../../format.js';
import { html, type Html } from './html.js';
import { totals, type Totals } from './totals.js';
import { summaryOf } from './summary.js';
import { share, time } from './labels.js';

/** The database, the state of the migration, and the main numbers. */
export function head(facts: ReportFacts): Html {
  const { database, migration, made_at, version } = facts;
  const { tone, title, text } = summaryOf(facts);
  return html`<header>
    <p class="eyebrow">keylift ${version} · page made ${time(made_at)} UTC</p>
    <h1>Keys of ${database.name}</h1>
    <div class="summary ${tone}">
      <strong>${title}</strong>
      <p>${text}</p>
    </div>
    <dl class="tiles">
      ${tiles(facts, totals(facts)).map(
        ({ name, value, note }) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}${note === undefined ? '' : html` <small>${note}</small>`}</dd>
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
          ${migration.attempt}, started ${time(migration.started_at)} UTC, last change ${time(migration.changed_at)} UTC
        </dd>
      </div>
    </dl>
  </header>`;
}

/** A table name without the quotes that SQL does not need. */
const unquoted = (table: string): string => table.replace(/"([a-z_][a-z0-9_]*)"/g, '$1');

interface Tile {
  name: string;
  value: string;
  note?: string;
}

function tiles({ accounts, last_proof: proof, born_in_settings: native }: ReportFacts, { keys, all }: Totals): Tile[] {
  return [
    { name: 'per-API keys', value: grouped(all) },
    { name: 'moved', value: grouped(keys.move), note: share(keys.move, all) },
    { name: 'merged', value: grouped(keys.merge) },
    { name: 'stay', value: grouped(keys.stay), note: 'custom APIs' },
    { name: 'on hold', value: grouped(keys.hold) },
    { name: 'exceptions', value: grouped(keys.exception) },
    ...(keys.to_come === 0 ? [] : [{ name: 'to come', value: grouped(keys.to_come) }]),
    ...(native.keys === 0 ? [] : [{ name: 'native keys', value: grouped(native.keys) }]),
    { name: 'accounts switched', value: grouped(accounts.switched), note: `of ${grouped(accounts.total)}` },
    { name: 'proof', value: proof === null ? 'none yet' : proof.ok ? 'passed' : 'failed' },
  ];
}
