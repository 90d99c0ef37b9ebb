import { quoteIdentifier } from '../../config/identifiers.js';
import type { AccountMapping } from '../../config/settings.js';
import type { Table } from './catalog.js';
import { firstOf, Notes, type Draft } from './draft.js';
import { guessApis, type ValuesOf } from './guess-apis.js';
import { guessKeys } from './guess-keys.js';
import { keyTables, relations, type Relation } from './guess-tables.js';
import { ACCOUNT_NAMES, matching } from './names.js';

/** Guesses a configuration by names, types, foreign keys and unique indexes; null where no table looks like keys. */
export async function guessConfiguration(tables: readonly Table[], valuesOf: ValuesOf): Promise<Draft | null> {
  const [best, ...others] = keyTables(tables);
  if (best === undefined) return null;
  const notes = new Notes();
  const apis = relations(best.table, 'apis', tables);
  const accounts = relations(best.table, 'accounts', tables);
  const keys = guessKeys({ keys: best, others, api: apis[0], account: accounts[0], notes });
  noteRelations('api', apis, notes);
  noteRelations('account', accounts, notes);
  return {
    settings: {
      legacy: {
        keys,
        apis: await guessApis(apis[0]?.table, { notes, valuesOf, accounts: accounts[0]?.table }),
        accounts: guessAccounts(accounts[0]?.table, notes),
      },
      target: { table: guessTarget(best.table, tables, notes) },
    },
    notes: notes.all,
  };
}

function noteRelations(key: 'api' | 'account', found: readonly Relation[], notes: Notes): void {
  const at = `legacy.keys.${key}`;
  const [chosen, ...others] = found;
  if (chosen === undefined) {
    const target = key === 'api' ? 'an API' : 'an account';
    notes.doubt(at, `nothing in the key table leads to ${target}; the names below are keylift's default`);
    return;
  }
  const path = [chosen.column, ...chosen.path.map(({ table }) => table)].join(' → ');
  if (chosen.declared) notes.guess(at, `by its foreign key${chosen.path.length > 1 ? 's' : ''}: ${path}`);
  else notes.doubt(at, `by its name only, no foreign key says so: ${path}`);
  if (others.length > 0) {
    const candidates = others.map((other) => `${other.column} → ${other.table.written}`).join(', ');
    notes.doubt(at, `other candidates: ${candidates}`);
  }
}

function guessAccounts(table: Table | undefined, notes: Notes): AccountMapping {
  if (table === undefined) return { table: 'public.accounts', id: 'id', name: 'name' };
  const at = 'legacy.accounts.id';
  const [id] = table.primaryKey ?? table.uniques.find((columns) => columns.length === 1) ?? [];
  if (id === undefined)
    notes.doubt(at, `${table.written} has no unique key, and the new table's foreign key needs one`);
  return {
    table: table.written,
    id: id ?? 'id',
    name: firstOf(matching(table.columns, ACCOUNT_NAMES), 'legacy.accounts.name', notes) ?? null,
  };
}

/** In the schema of the key table, with the default name unless that is taken. */
function guessTarget({ schema }: Table, tables: readonly Table[], notes: Notes): string {
  const written = /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : quoteIdentifier(schema);
  const name = ['account_api_keys', 'settings_api_keys', 'keylift_account_keys'].find(
    (one) => !tables.some((table) => table.schema === schema && table.name === one),
  );
  if (name !== 'account_api_keys') {
    const note = `${written}.account_api_keys exists already; did an earlier migration of keylift create it?`;
    notes.doubt('target.table', note);
  }
  return `${written}.${name ?? 'keylift_account_keys'}`;
}
