import { quoteIdentifier } from '../config/identifiers.js';
import type { ApiMapping, Expression } from '../config/settings.js';
import type { Column, Table } from './catalog.js';
import type { Notes } from './draft.js';
import { CUSTOM_FLAGS, matching, OWNERS, plain, SLUGS, STORE_FLAGS, STORE_KINDS, STORE_VALUES } from './words.js';

/** Values that stand in a small table's column; an enum's labels need no look. */
export type ValuesOf = (table: Table, column: Column) => Promise<string[]>;

interface ApisWorld {
  notes: Notes;
  valuesOf: ValuesOf;
  accounts: Table | undefined;
}

export async function guessApis(table: Table | undefined, world: ApisWorld): Promise<ApiMapping> {
  if (table === undefined) return { table: 'public.apis', id: 'id', slug: 'slug', inStore: { sql: 'false' } };
  const { notes } = world;
  const [id] = table.primaryKey ?? table.uniques.find((columns) => columns.length === 1) ?? [];
  if (id === undefined) notes.doubt('legacy.apis.id', `${table.written} has no unique key; a key must have one API`);
  const [slug, ...others] = matching(table.columns, SLUGS);
  if (slug !== undefined)
    notes.guess(
      'legacy.apis.slug',
      `its name${others.length === 0 ? '' : `; others it could be: ${others.map(({ name }) => JSON.stringify(name)).join(', ')}`}`,
    );
  else notes.doubt('legacy.apis.slug', 'no column looks like a name for URLs; the id stands in');
  return {
    table: table.written,
    id: id ?? 'id',
    slug: slug?.name ?? id ?? 'id',
    inStore: await guessStore(table, world),
  };
}

/** Which APIs are offered to everybody. Where nothing says so, none: a key that is not moved gains nothing. */
async function guessStore(table: Table, { notes, valuesOf, accounts }: ApisWorld): Promise<Expression> {
  const at = 'legacy.apis.inStore';
  const isFlag = ({ category }: Column): boolean => category === 'B';
  const a = (column: Column): string => `a.${quoteIdentifier(column.name)}`;
  const [listed] = matching(table.columns, STORE_FLAGS, isFlag);
  if (listed !== undefined) {
    notes.doubt(at, `does ${JSON.stringify(listed.name)} mean: offered to everybody?`);
    return listed.name;
  }
  const [custom] = matching(table.columns, CUSTOM_FLAGS, isFlag);
  if (custom !== undefined) {
    notes.doubt(at, `everything that is not ${JSON.stringify(custom.name)}?`);
    return { sql: `NOT ${a(custom)}` };
  }
  for (const column of matching(table.columns, STORE_KINDS, ({ category }) => category === 'S' || category === 'E')) {
    const values = column.labels ?? (await valuesOf(table, column));
    const store = values.filter((value) => STORE_VALUES.test(value));
    if (store.length === 0) continue;
    notes.doubt(
      at,
      `of the values of ${JSON.stringify(column.name)} (${values.map((value) => JSON.stringify(value)).join(', ')}) these sound like: offered to everybody`,
    );
    const quoted = store.map((value) => `'${value.replaceAll("'", "''")}'`);
    return { sql: quoted.length === 1 ? `${a(column)} = ${quoted[0]!}` : `${a(column)} IN (${quoted.join(', ')})` };
  }
  const owner = ownerOf(table, accounts);
  if (owner !== undefined) {
    notes.doubt(at, `an API that belongs to nobody (${JSON.stringify(owner.name)}) is offered to everybody?`);
    return { sql: `${a(owner)} IS NULL` };
  }
  notes.doubt(at, 'nothing here says which APIs are offered to everybody. As it stands none is, and no key would move');
  return { sql: 'false' };
}

/** A column that says whose API it is, and may say nobody's. */
function ownerOf(table: Table, accounts: Table | undefined): Column | undefined {
  return table.columns.find(
    (column) =>
      !column.notNull &&
      (table.foreignKeys.some((key) => key.column === column.name && key.table === accounts?.written) ||
        OWNERS.test(plain(column.name))),
  );
}
