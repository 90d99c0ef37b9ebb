import { quoteIdentifier } from '../../config/identifiers.js';
import type { ApiMapping, Expression } from '../../config/settings.js';
import type { Column, Table } from './catalog.js';
import { firstOf, type Notes } from './draft.js';
import { CUSTOM_FLAGS, matching, OWNERS, plain, SLUGS, STORE_FLAGS, STORE_KINDS, STORE_VALUES } from './names.js';

/** Reads the values of a column of a small table. For an enum its labels are known. */
export type ValuesOf = (table: Table, column: Column) => Promise<string[]>;

interface ApisInput {
  notes: Notes;
  valuesOf: ValuesOf;
  accounts: Table | undefined;
}

/** Guesses the mapping of the APIs. */
export async function guessApis(table: Table | undefined, input: ApisInput): Promise<ApiMapping> {
  if (table === undefined) return { table: 'public.apis', id: 'id', slug: 'slug', inStore: { sql: 'false' } };
  const { notes } = input;
  const [id] = table.primaryKey ?? table.uniques.find((columns) => columns.length === 1) ?? [];
  if (id === undefined) notes.doubt('legacy.apis.id', `${table.written} has no unique key; a key must have one API`);
  const slug = firstOf(matching(table.columns, SLUGS), 'legacy.apis.slug', notes);
  if (slug === undefined) notes.doubt('legacy.apis.slug', 'no column looks like a name for URLs, so the id is used');
  return { table: table.written, id: id ?? 'id', slug: slug ?? id ?? 'id', inStore: await guessStore(table, input) };
}

/** The condition for store APIs. Where no column suggests one, no API is: a key that does not move gains nothing. */
async function guessStore(table: Table, { notes, valuesOf, accounts }: ApisInput): Promise<Expression> {
  const at = 'legacy.apis.inStore';
  const isFlag = ({ category }: Column): boolean => category === 'B';
  const a = (column: Column): string => `a.${quoteIdentifier(column.name)}`;
  const [listed] = matching(table.columns, STORE_FLAGS, isFlag);
  if (listed !== undefined) {
    notes.doubt(at, `does ${JSON.stringify(listed.name)} mean that an API is offered to every account?`);
    return listed.name;
  }
  const [custom] = matching(table.columns, CUSTOM_FLAGS, isFlag);
  if (custom !== undefined) {
    notes.doubt(at, `is every API in the store that is not ${JSON.stringify(custom.name)}?`);
    return { sql: `NOT ${a(custom)}` };
  }
  for (const column of matching(table.columns, STORE_KINDS, ({ category }) => category === 'S' || category === 'E')) {
    const values = column.labels ?? (await valuesOf(table, column));
    const store = values.filter((value) => STORE_VALUES.test(value));
    if (store.length === 0) continue;
    const all = values.map((value) => JSON.stringify(value)).join(', ');
    notes.doubt(
      at,
      `of the values of ${JSON.stringify(column.name)} (${all}) these look like: offered to every account`,
    );
    const quoted = store.map((value) => `'${value.replaceAll("'", "''")}'`);
    return { sql: quoted.length === 1 ? `${a(column)} = ${quoted[0]!}` : `${a(column)} IN (${quoted.join(', ')})` };
  }
  const owner = ownerOf(table, accounts);
  if (owner !== undefined) {
    notes.doubt(at, `is an API without an owner (${JSON.stringify(owner.name)}) offered to every account?`);
    return { sql: `${a(owner)} IS NULL` };
  }
  notes.doubt(
    at,
    'no column says which APIs are offered to every account. With this value none is, and no key would move',
  );
  return { sql: 'false' };
}

/** A column that names the owner of an API and may be NULL. */
function ownerOf(table: Table, accounts: Table | undefined): Column | undefined {
  return table.columns.find(
    (column) =>
      !column.notNull &&
      (table.foreignKeys.some((key) => key.column === column.name && key.table === accounts?.written) ||
        OWNERS.test(plain(column.name))),
  );
}
