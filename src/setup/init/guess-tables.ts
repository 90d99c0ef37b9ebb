import type { Column, ForeignKey, Table } from './catalog.js';
import {
  ACTORS,
  DATES,
  KEY_TABLES,
  matching,
  OTHER_SECRETS,
  plain,
  rank,
  RELATIONS,
  singular,
  TOKENS,
} from './names.js';

/** A table that may hold the per-API keys, with a score for its likelihood. */
export interface Candidate {
  table: Table;
  score: number;
}

const LEAST_SCORE = 9;

export const isText = ({ category, type }: Column): boolean => category === 'S' || type === 'bytea';
export const isDate = ({ category }: Column): boolean => category === 'D';

/** Columns that may be the token, the likeliest first: no references to other tables, unique columns before others. */
export function tokenColumns(table: Table): Column[] {
  const references = table.foreignKeys.map(({ column }) => column);
  const isUnique = ({ name }: Column): boolean =>
    table.uniques.some((columns) => columns.length === 1 && columns[0] === name);
  const found = matching(
    table.columns,
    TOKENS,
    (column) => isText(column) && !references.includes(column.name) && !isOnlyId(table, column),
  );
  return [...found.filter(isUnique), ...found.filter((column) => !isUnique(column))];
}

const isOnlyId = ({ primaryKey }: Table, { name }: Column): boolean =>
  primaryKey?.length === 1 && primaryKey[0] === name;

/** Tables that may hold the keys, the likeliest first. */
export function keyTables(tables: readonly Table[]): Candidate[] {
  return tables
    .map((table) => ({ table, score: scoreOf(table) }))
    .filter(({ score }) => score >= LEAST_SCORE)
    .sort((a, b) => b.score - a.score || b.table.rows - a.table.rows);
}

function scoreOf(table: Table): number {
  if (tokenColumns(table).length === 0) return 0;
  const position = rank(singular(table.name), KEY_TABLES);
  const dates = Object.values(DATES).filter((patterns) => matching(table.columns, patterns, isDate).length > 0).length;
  const related = (['accounts', 'apis'] as const).filter(
    (section) => matching(table.columns, RELATIONS[section].columns).length > 0 || table.foreignKeys.length > 0,
  ).length;
  return (
    5 +
    (position === undefined ? 0 : 10 - position) +
    dates +
    related -
    (OTHER_SECRETS.test(plain(table.name)) ? 8 : 0) -
    (plain(table.name).startsWith('accountapikey') ? 8 : 0) -
    (table.kind === 'table' ? 0 : 3)
  );
}

/** How a key leads to its API or its account: a column, or joins over foreign keys. */
export interface Relation {
  table: Table;
  column: string;
  /** Foreign keys on the path, that of the key table first; one where the column itself references the table. */
  path: ForeignKey[];
  /** True if a foreign key says so, false if only the names do. */
  declared: boolean;
}

type Section = 'apis' | 'accounts';

/** Paths from the key table to its APIs or accounts, the likeliest first: short before long, declared before named. */
export function relations(keys: Table, section: Section, tables: readonly Table[]): Relation[] {
  const direct = keys.foreignKeys
    .filter(({ column }) => !ACTORS.test(plain(column)))
    .flatMap((key) => relationOf(keys, [key], section, tables));
  const found = [...inOrder(direct, section), ...inOrder(named(keys, section, tables), section)];
  return section === 'apis' || found.length > 0 ? found : inOrder(overJoins(keys, section, tables), section);
}

function relationOf(keys: Table, path: ForeignKey[], section: Section, tables: readonly Table[]): Relation[] {
  const table = tables.find(({ written }) => written === path.at(-1)!.table);
  if (table === undefined || table === keys) return [];
  const byColumn = path.length === 1 && rank(plain(path[0]!.column), RELATIONS[section].columns) !== undefined;
  return byColumn || rank(singular(table.name), RELATIONS[section].tables) !== undefined
    ? [{ table, column: path[0]!.column, path, declared: true }]
    : [];
}

/** A name of the other section excludes a relation: a column `api_id` is no account, whatever its table's name is. */
function inOrder(found: readonly Relation[], section: Section): Relation[] {
  const other = section === 'apis' ? 'accounts' : 'apis';
  const order = ({ table, column }: Relation): number =>
    Math.min(
      rank(plain(column), RELATIONS[section].columns) ?? 50,
      20 + (rank(singular(table.name), RELATIONS[section].tables) ?? 30),
    ) + (rank(plain(column), RELATIONS[other].columns) === undefined ? 0 : 100);
  return [...found]
    .filter((relation) => order(relation) < 100)
    .sort((a, b) => a.path.length - b.path.length || order(a) - order(b));
}

/** A column named like a table whose primary key has its type. */
function named(keys: Table, section: Section, tables: readonly Table[]): Relation[] {
  return matching(keys.columns, RELATIONS[section].columns).flatMap((column) =>
    tables.flatMap((table): Relation[] => {
      const id = table.columns.find(({ name }) => table.primaryKey?.length === 1 && table.primaryKey[0] === name);
      const fits =
        rank(singular(table.name), RELATIONS[section].tables) !== undefined &&
        table !== keys &&
        id?.type === column.type;
      return fits
        ? [
            {
              table,
              column: column.name,
              path: [{ column: column.name, table: table.written, toColumn: id.name }],
              declared: false,
            },
          ]
        : [];
    }),
  );
}

const MOST_JOINS = 3;

/** Paths over foreign keys of other tables, such as key → environment → project → organization. */
function overJoins(keys: Table, section: Section, tables: readonly Table[]): Relation[] {
  const found: Relation[] = [];
  let paths: ForeignKey[][] = keys.foreignKeys.map((key) => [key]);
  for (let joins = 1; joins <= MOST_JOINS && found.length === 0; joins += 1) {
    paths = paths.flatMap((path) =>
      (tables.find(({ written }) => written === path.at(-1)!.table)?.foreignKeys ?? [])
        .filter(
          ({ column, table }) =>
            !ACTORS.test(plain(column)) && table !== keys.written && !path.some((step) => step.table === table),
        )
        .map((key) => [...path, key]),
    );
    found.push(...paths.flatMap((path) => relationOf(keys, path, section, tables)));
  }
  return found;
}
