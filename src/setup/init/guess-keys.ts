import { quoteIdentifier } from '../../config/identifiers.js';
import { isTaken } from '../../config/meaning.js';
import type { Expression, KeyMapping } from '../../config/settings.js';
import type { Column, Table } from './catalog.js';
import { firstOf, quotedNames, type Notes } from './draft.js';
import { isDate, tokenColumns, type Candidate, type Relation } from './guess-tables.js';
import { CARRIED, CHANGED, DATES, DEAD_FLAGS, LIVE_FLAGS, matching, NAMES, plain } from './names.js';

interface KeysInput {
  keys: Candidate;
  others: readonly Candidate[];
  api: Relation | undefined;
  account: Relation | undefined;
  notes: Notes;
}

const keyOf = (name: string): string => `legacy.keys.${name}`;

/** Guesses the mapping of the key table. */
export function guessKeys({ keys: { table }, others, api, account, notes }: KeysInput): KeyMapping {
  const token = guessToken(table, others, notes);
  const id = guessId(table, notes);
  const references = [api, account].flatMap((relation) => (relation?.path.length === 1 ? [relation.column] : []));
  const free = table.columns.filter(({ name }) => ![id, token, ...references].includes(name));
  const date = (key: keyof typeof DATES): string | undefined =>
    firstOf(matching(free, DATES[key], isDate), keyOf(key), notes);
  const mapping: KeyMapping = {
    table: table.written,
    id,
    token,
    name: firstOf(matching(free, NAMES), keyOf('name'), notes) ?? null,
    createdAt: date('createdAt') ?? 'created_at',
    lastUsedAt: date('lastUsedAt') ?? null,
    revokedAt: guessRevocation(free, notes),
    expiresAt: date('expiresAt') ?? null,
    api: api === undefined ? 'api_id' : api.column,
    account: account === undefined ? 'account_id' : accountOver(account),
    carry: [],
    where: null,
  };
  if (matching(free, DATES.createdAt, isDate).length === 0)
    notes.doubt(keyOf('createdAt'), 'no column looks like it, and every key needs one');
  noteZone(table, mapping, notes);
  mapping.carry = guessCarry(free, mapping, notes);
  noteWhere(free, notes);
  return mapping;
}

function guessToken(table: Table, others: readonly Candidate[], notes: Notes): string {
  const [token, ...otherTokens] = tokenColumns(table);
  const isUnique = table.uniques.some((columns) => columns.length === 1 && columns[0] === token!.name);
  notes.guess(keyOf('table'), `by its name, and its column ${JSON.stringify(token!.name)}`);
  if (others.length > 0)
    notes.doubt(keyOf('table'), `other candidates: ${others.map((other) => other.table.written).join(', ')}`);
  if (table.kind !== 'table') notes.doubt(keyOf('table'), `it is a ${table.kind}: map the table that it reads`);
  notes.guess(keyOf('token'), `by its name${isUnique ? ' and its unique index' : ''}`);
  if (otherTokens.length > 0) {
    const candidates = quotedNames(otherTokens);
    notes.doubt(keyOf('token'), `which column has what clients send, or its hash? Other candidates: ${candidates}`);
  }
  return token!.name;
}

function guessId(table: Table, notes: Notes): string {
  const at = keyOf('id');
  const key = table.uniques.find((columns) => columns.length === 1) ?? table.primaryKey ?? [];
  const id = key.find((column) => /^(key|token)?(id|uuid|no|number)$|id$/.test(plain(column))) ?? key[0];
  if (key.length > 1) {
    const columns = key.join(', ');
    notes.doubt(at, `the primary key has several columns (${columns}): usable only if the others partition the table`);
  }
  if (id === undefined) notes.doubt(at, 'the table has no unique key, so keys cannot be told apart');
  else notes.guess(at, key.length === 1 ? 'its unique key' : 'part of its primary key');
  return id ?? 'id';
}

/** A date where there is one. For a flag, the date of the last change is the best approximation. */
function guessRevocation(columns: readonly Column[], notes: Notes): Expression | null {
  const at = keyOf('revokedAt');
  const [dated, ...others] = matching(columns, DATES.revokedAt, isDate);
  if (dated !== undefined) {
    notes.guess(at, 'by its name');
    if (others.length > 0)
      notes.doubt(at, `does ${quotedNames(others)} kill a key, too? Then use an expression: coalesce(…) of both`);
    return dated.name;
  }
  const isFlag = ({ category }: Column): boolean => category === 'B';
  const [dead] = matching(columns, DEAD_FLAGS, isFlag);
  const [live] = matching(columns, LIVE_FLAGS, isFlag);
  const flag = dead ?? live;
  const [since] = [...matching(columns, CHANGED, isDate), ...matching(columns, DATES.createdAt, isDate)];
  if (flag === undefined || since === undefined) {
    notes.doubt(at, noRevocation(columns));
    return null;
  }
  const [flagName, sinceName] = [JSON.stringify(flag.name), JSON.stringify(since.name)];
  notes.doubt(
    at,
    `${flagName} is a flag without a date, so ${sinceName} is used as the date. keylift cannot write to an ` +
      'expression: see keylift check',
  );
  const isDead = dead === undefined ? `k.${quoteIdentifier(flag.name)} IS NOT TRUE` : `k.${quoteIdentifier(flag.name)}`;
  return { sql: `CASE WHEN ${isDead} THEN k.${quoteIdentifier(since.name)} END` };
}

function noRevocation(columns: readonly Column[]): string {
  const status = columns.find(({ name }) => /^(status|state)$/.test(plain(name)));
  if (status === undefined) return 'no column looks like it: is deletion the only way to revoke a key?';
  const name = JSON.stringify(status.name);
  return `does ${name} say that a key is dead? Then use: { "sql": "CASE WHEN k.… THEN k.… END" }`;
}

function noteZone({ columns }: Table, { expiresAt }: KeyMapping, notes: Notes): void {
  const type = columns.find(({ name }) => name === expiresAt)?.type;
  if (type === undefined || type === 'timestamp with time zone') return;
  notes.doubt(
    keyOf('timeZone'),
    `${JSON.stringify(expiresAt)} is ${type}. Which time zone does the platform use? Name it, for example ` +
      '"timeZone": "UTC"; without it each session compares in its own zone',
  );
}

function noteWhere(columns: readonly Column[], notes: Notes): void {
  const kind = columns.find(({ name }) => /^(kind|type|purpose)$/.test(plain(name)));
  if (kind === undefined) return;
  const column = quoteIdentifier(kind.name).replaceAll('"', '\\"');
  notes.doubt(
    keyOf('where'),
    `are all rows per-API keys? If ${JSON.stringify(kind.name)} says which: { "sql": "k.${column} = '…'" }`,
  );
}

function guessCarry(columns: readonly Column[], mapping: KeyMapping, notes: Notes): string[] {
  const at = keyOf('carry');
  const mapped = Object.values(mapping);
  const left = columns.filter(({ name }) => !mapped.includes(name));
  const taken = left.filter(({ name }) => isTaken(name));
  const carried = left.filter(({ name }) => !isTaken(name) && CARRIED.test(plain(name)));
  const rest = left.filter((column) => !carried.includes(column) && !taken.includes(column));
  if (carried.length > 0) notes.guess(at, `by their names: ${quotedNames(carried)}`);
  if (rest.length > 0)
    notes.doubt(at, `not carried: ${quotedNames(rest)}. Add every column that Settings shows or a request needs`);
  if (taken.length > 0) notes.doubt(at, `cannot be carried, the new table has its own: ${quotedNames(taken)}`);
  return carried.map(({ name }) => name);
}

function accountOver({ path, column }: Relation): Expression {
  if (path.length === 1) return column;
  // k → t1 → t2 → account: the last reference of t2 is the account.
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
  const joined = joins.map(({ table, alias, id }, at) => {
    const { alias: previous, next } = steps[at]!;
    return ` JOIN ${table} ${alias} ON ${ref(alias, id)} = ${ref(previous, next)}`;
  });
  const account = ref(steps.at(-1)!.alias, steps.at(-1)!.next);
  const from = `${head!.table} ${head!.alias}${joined.join('')}`;
  return { sql: `(SELECT ${account} FROM ${from} WHERE ${ref(head!.alias, head!.id)} = ${ref('k', column)})` };
}
