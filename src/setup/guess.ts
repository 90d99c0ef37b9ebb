import { quoteIdentifier } from '../config/identifiers.js';
import { isTaken } from '../config/meaning.js';
import type { AccountMapping, Expression, KeyMapping } from '../config/settings.js';
import type { Column, Table } from './catalog.js';
import { Notes, type Draft } from './draft.js';
import { guessApis, type ValuesOf } from './guess-apis.js';
import { isDate, keyTables, relations, tokenColumns, type Candidate, type Relation } from './guess-tables.js';
import { ACCOUNT_NAMES, CARRIED, CHANGED, DATES, DEAD_FLAGS, LIVE_FLAGS, matching, NAMES, plain } from './words.js';

const text = (columns: readonly { name: string }[]): string =>
  columns.map(({ name }) => JSON.stringify(name)).join(', ');

/** A configuration guessed by names, types, foreign keys and unique indexes; null where no table looks like one of keys. */
export async function guessConfiguration(tables: readonly Table[], valuesOf: ValuesOf): Promise<Draft | null> {
  const [best, ...others] = keyTables(tables);
  if (best === undefined) return null;
  const notes = new Notes();
  const api = relations(best.table, 'apis', tables);
  const account = relations(best.table, 'accounts', tables);
  const keys = guessKeys({ keys: best, others, api: api[0], account: account[0], notes });
  aboutRelations({ api, account, notes });
  return {
    settings: {
      legacy: {
        keys,
        apis: await guessApis(api[0]?.table, { notes, valuesOf, accounts: account[0]?.table }),
        accounts: guessAccounts(account[0]?.table, notes),
      },
      target: { table: guessTarget(best.table, tables, notes) },
    },
    notes: notes.all,
  };
}

interface KeysWorld {
  keys: Candidate;
  others: readonly Candidate[];
  api: Relation | undefined;
  account: Relation | undefined;
  notes: Notes;
}

function guessKeys({ keys: { table }, others, api, account, notes }: KeysWorld): KeyMapping {
  const at = (key: string): string => `legacy.keys.${key}`;
  const [token, ...otherTokens] = tokenColumns(table);
  notes.guess(at('table'), `its name, and ${JSON.stringify(token!.name)} in it`);
  if (others.length > 0)
    notes.doubt(at('table'), `others look like it, too: ${others.map((other) => other.table.written).join(', ')}`);
  if (table.kind !== 'table') notes.doubt(at('table'), `it is a ${table.kind}: map the table behind it`);
  notes.guess(
    at('token'),
    `its name${table.uniques.some((columns) => columns.length === 1 && columns[0] === token!.name) ? ' and its unique index' : ''}`,
  );
  if (otherTokens.length > 0)
    notes.doubt(at('token'), `what do clients send (or its hash)? Others it could be: ${text(otherTokens)}`);
  const id = idOf(table, at('id'), notes);
  const pointing = [api, account].flatMap((relation) => (relation?.path.length === 1 ? [relation.column] : []));
  const free = table.columns.filter(({ name }) => ![id, token!.name, ...pointing].includes(name));
  const mapping: KeyMapping = {
    table: table.written,
    id,
    token: token!.name,
    name: first(matching(free, NAMES), at('name'), notes) ?? null,
    createdAt: first(matching(free, DATES.createdAt, isDate), at('createdAt'), notes) ?? 'created_at',
    lastUsedAt: first(matching(free, DATES.lastUsedAt, isDate), at('lastUsedAt'), notes) ?? null,
    revokedAt: revocation(free, at('revokedAt'), notes),
    expiresAt: first(matching(free, DATES.expiresAt, isDate), at('expiresAt'), notes) ?? null,
    api: api === undefined ? 'api_id' : api.column,
    account: account === undefined ? 'account_id' : accountOver(account),
    carry: [],
    where: null,
  };
  if (matching(free, DATES.createdAt, isDate).length === 0)
    notes.doubt(at('createdAt'), 'no column looks like it, and every key needs one');
  aboutZone(table, mapping, notes);
  mapping.carry = guessCarry(free, mapping, { at: at('carry'), notes });
  const kind = free.find(({ name }) => /^(kind|type|purpose)$/.test(plain(name)));
  if (kind !== undefined)
    notes.doubt(
      at('where'),
      `are all rows per-API keys? If ${JSON.stringify(kind.name)} tells: { "sql": "k.${quoteIdentifier(kind.name).replaceAll('"', '\\"')} = '…'" }`,
    );
  return mapping;
}

function idOf(table: Table, at: string, notes: Notes): string {
  const key = table.uniques.find((columns) => columns.length === 1) ?? table.primaryKey ?? [];
  const id = key.find((column) => /^(key|token)?(id|uuid|no|number)$|id$/.test(plain(column))) ?? key[0];
  if (key.length > 1)
    notes.doubt(
      at,
      `the primary key is of several columns (${key.join(', ')}): usable only where the table is partitioned by the others`,
    );
  if (id === undefined) notes.doubt(at, 'the table has no unique key; without one no key can be told from another');
  else notes.guess(at, key.length === 1 ? 'its unique key' : 'part of its primary key');
  return id ?? 'id';
}

/** The first that fits, with the others told. */
function first(found: readonly Column[], at: string, notes: Notes): string | undefined {
  const [chosen, ...others] = found;
  if (chosen === undefined) return undefined;
  notes.guess(at, `its name${others.length === 0 ? '' : `; others it could be: ${text(others)}`}`);
  return chosen.name;
}

/** A date where there is one; of a flag the moment of the last change is the best that is known. */
function revocation(columns: readonly Column[], at: string, notes: Notes): Expression | null {
  const [dated, ...others] = matching(columns, DATES.revokedAt, isDate);
  if (dated !== undefined) {
    notes.guess(at, 'its name');
    if (others.length > 0)
      notes.doubt(at, `does ${text(others)} kill a key, too? Then: coalesce(…) of both, as an expression`);
    return dated.name;
  }
  const isFlag = ({ category }: Column): boolean => category === 'B';
  const [dead] = matching(columns, DEAD_FLAGS, isFlag);
  const [live] = matching(columns, LIVE_FLAGS, isFlag);
  const flag = dead ?? live;
  const [since] = [...matching(columns, CHANGED, isDate), ...matching(columns, DATES.createdAt, isDate)];
  const status = columns.find(({ name }) => /^(status|state)$/.test(plain(name)));
  if (flag === undefined || since === undefined) {
    if (status !== undefined)
      notes.doubt(
        at,
        `does ${JSON.stringify(status.name)} say that a key is dead? Then: { "sql": "CASE WHEN k.… THEN k.… END" }`,
      );
    else notes.doubt(at, 'no column looks like it: a key dies by its deletion alone?');
    return null;
  }
  notes.doubt(
    at,
    `${JSON.stringify(flag.name)} is a flag without a date; ${JSON.stringify(since.name)} stands in for it. An expression cannot be written: see keylift check`,
  );
  const isDead = dead === undefined ? `k.${quoteIdentifier(flag.name)} IS NOT TRUE` : `k.${quoteIdentifier(flag.name)}`;
  return { sql: `CASE WHEN ${isDead} THEN k.${quoteIdentifier(since.name)} END` };
}

function aboutZone({ columns }: Table, { expiresAt }: KeyMapping, notes: Notes): void {
  const type = columns.find(({ name }) => name === expiresAt)?.type;
  if (type === undefined || type === 'timestamp with time zone') return;
  notes.doubt(
    'legacy.keys.timeZone',
    `${JSON.stringify(expiresAt)} is ${type}. Which zone does the platform mean? "timeZone": "UTC" would say so; left out, each session compares in its own`,
  );
}

function guessCarry(
  columns: readonly Column[],
  mapping: KeyMapping,
  { at, notes }: { at: string; notes: Notes },
): string[] {
  const mapped = Object.values(mapping);
  const left = columns.filter(({ name }) => !mapped.includes(name));
  const taken = left.filter(({ name }) => isTaken(name));
  const carried = left.filter(({ name }) => !isTaken(name) && CARRIED.test(plain(name)));
  const rest = left.filter((column) => !carried.includes(column) && !taken.includes(column));
  if (carried.length > 0) notes.guess(at, `by their names: ${text(carried)}`);
  if (rest.length > 0)
    notes.doubt(
      at,
      `not brought along: ${text(rest)}. Whatever Settings shows, or a request needs, must be named here`,
    );
  if (taken.length > 0) notes.doubt(at, `cannot be brought along, the new table has its own: ${text(taken)}`);
  return carried.map(({ name }) => name);
}

function accountOver({ path, column }: Relation): Expression {
  if (path.length === 1) return column;
  // k → t1 → t2 → account: what t2 points with is the account.
  const steps = path
    .slice(0, -1)
    .map((step, at) => ({
      alias: `t${String(at + 1)}`,
      table: step.table,
      id: step.toColumn,
      next: path[at + 1]!.column,
    }));
  const [head, ...joins] = steps;
  const ref = (alias: string, name: string): string => `${alias}.${quoteIdentifier(name)}`;
  const joined = joins
    .map(
      (step, at) =>
        ` JOIN ${step.table} ${step.alias} ON ${ref(step.alias, step.id)} = ${ref(steps[at]!.alias, steps[at]!.next)}`,
    )
    .join('');
  return {
    sql: `(SELECT ${ref(steps.at(-1)!.alias, steps.at(-1)!.next)} FROM ${head!.table} ${head!.alias}${joined} WHERE ${ref(head!.alias, head!.id)} = ${ref('k', column)})`,
  };
}

function aboutRelations({
  api,
  account,
  notes,
}: {
  api: readonly Relation[];
  account: readonly Relation[];
  notes: Notes;
}): void {
  for (const [key, found] of [
    ['api', api],
    ['account', account],
  ] as const) {
    const at = `legacy.keys.${key}`;
    const [chosen, ...others] = found;
    if (chosen === undefined) {
      notes.doubt(
        at,
        `nothing in the key table leads to ${key === 'api' ? 'an API' : 'an account'}; the names below are keylift's default`,
      );
      continue;
    }
    const way = [chosen.column, ...chosen.path.map(({ table }) => table)].join(' → ');
    if (chosen.declared) notes.guess(at, `by its foreign key${chosen.path.length > 1 ? 's' : ''}: ${way}`);
    else notes.doubt(at, `by its name alone, no foreign key says so: ${way}`);
    if (others.length > 0)
      notes.doubt(
        at,
        `others it could be: ${others.map((other) => `${other.column} → ${other.table.written}`).join(', ')}`,
      );
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
    name: first(matching(table.columns, ACCOUNT_NAMES), 'legacy.accounts.name', notes) ?? null,
  };
}

/** Beside the key table, under the default's name, unless that is taken. */
function guessTarget({ schema }: Table, tables: readonly Table[], notes: Notes): string {
  const place = /^[a-z_][a-z0-9_]*$/.test(schema) ? schema : quoteIdentifier(schema);
  const name = ['account_api_keys', 'settings_api_keys', 'keylift_account_keys'].find(
    (one) => !tables.some((table) => table.schema === schema && table.name === one),
  );
  if (name !== 'account_api_keys')
    notes.doubt(
      'target.table',
      `${place}.account_api_keys is there already; is it keylift's, of an earlier migration?`,
    );
  return `${place}.${name ?? 'keylift_account_keys'}`;
}
