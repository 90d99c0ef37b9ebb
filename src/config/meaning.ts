import { faultOfExpression, hasSubquery, withAlias } from './expressions.js';
import { faultOfName, isSameTable, parseTableName, quoteIdentifier, type TableName } from './identifiers.js';
import type { Expression, Settings } from './settings.js';
import type { Fault } from './structure.js';

type Path = readonly (string | number)[];
type Check = (value: unknown, at: Path) => Fault[];

/** Columns of the new table and of the server. A carried column cannot have one of these names. */
const TAKEN = new Set([
  'id',
  'account_id',
  'name',
  'token',
  'scope',
  'origin_api_id',
  'created_at',
  'last_used_at',
  'revoked_at',
  'expires_at',
  'tableoid',
  'xmin',
  'cmin',
  'xmax',
  'cmax',
  'ctid',
]);

/** True if the new table already has a column of this name. */
export const isTaken = (column: string): boolean => TAKEN.has(column);

const CHECKS: readonly [Path, Check][] = [
  [['legacy', 'keys', 'table'], table],
  [['legacy', 'apis', 'table'], table],
  [['legacy', 'accounts', 'table'], table],
  [['target', 'table'], table],
  [['legacy', 'keys', 'token'], token],
  ...['id', 'token', 'name', 'createdAt', 'lastUsedAt', 'revokedAt', 'expiresAt', 'api', 'account', 'where'].map(
    (key): [Path, Check] => [['legacy', 'keys', key], value],
  ),
  [['legacy', 'keys', 'carry'], carry],
  ...['id', 'slug', 'inStore'].map((key): [Path, Check] => [['legacy', 'apis', key], value]),
  ...['id', 'name'].map((key): [Path, Check] => [['legacy', 'accounts', key], value]),
];

/** Faults of single values: invalid names, and expressions that would change the statement around them. */
export function faultsOfMeaning(parsed: unknown): Fault[] {
  return CHECKS.flatMap(([at, check]) => check(valueAt(parsed, at), at));
}

/** Faults of the settings as a whole. Every single value must be valid. */
export function faultsOfWhole({ legacy, target }: Settings): Fault[] {
  const at = ['target', 'table'];
  const name = parseTableName(target.table);
  const same = Object.entries(legacy).find(([, { table: other }]) => isSameTable(parseTableName(other), name));
  return [
    ...(same === undefined ? [] : [{ path: at, reason: `is the same table as legacy.${same[0]}.table` }]),
    ...(isLedger(name) ? [{ path: at, reason: 'must not be in the schema keylift, which belongs to the ledger' }] : []),
    ...(isColumn(legacy.keys.token, legacy.keys.id)
      ? [{ path: ['legacy', 'keys', 'id'], reason: 'is the token itself; reports show ids, so keys need another one' }]
      : []),
  ];
}

/** Is the value this column, perhaps written as an expression with parentheses or a cast? */
function isColumn(value: Expression, column: string): boolean {
  if (typeof value === 'string') return value === column;
  const bare = withAlias(value.sql, 'k', '')
    .replace(/[\s()]/g, '')
    .replace(/(::\w+)+$/, '');
  return bare === column || bare === quoteIdentifier(column);
}

function isLedger({ schema }: TableName): boolean {
  return schema === 'keylift';
}

function table(text: unknown, at: Path): Fault[] {
  if (typeof text !== 'string' || text === '') return [];
  try {
    parseTableName(text);
    return faults(at, faultOfMarks(text));
  } catch (error) {
    return [{ path: at, reason: (error as Error).message }];
  }
}

function value(given: unknown, at: Path): Fault[] {
  // The schema reports empty texts and wrong types.
  if (typeof given === 'string' && given !== '') return faults(at, faultOfName(given) ?? faultOfMarks(given));
  const sql = valueAt(given, ['sql']);
  return typeof sql === 'string' && sql !== ''
    ? faults([...at, 'sql'], faultOfExpression(sql) ?? faultOfMarks(sql))
    : [];
}

function token(given: unknown, at: Path): Fault[] {
  const sql = valueAt(given, ['sql']);
  return typeof sql === 'string' && hasSubquery(sql)
    ? faults([...at, 'sql'], 'must be computed from the row itself, because an index finds keys by it')
    : [];
}

function carry(columns: unknown, at: Path): Fault[] {
  if (!Array.isArray(columns)) return [];
  return columns.flatMap((column: unknown, index) => {
    if (typeof column !== 'string' || column === '') return [];
    const here = [...at, index];
    return [
      ...faults(here, faultOfName(column) ?? faultOfMarks(column)),
      ...(columns.indexOf(column) < index ? faults(here, `${JSON.stringify(column)} is named twice`) : []),
      ...(isTaken(column) ? faults(here, `${JSON.stringify(column)} is a column that the new table already has`) : []),
    ];
  });
}

/** keylift quotes function bodies with these marks, and the bodies contain the operator's names and expressions. */
const OUR_MARKS = /\$(body|statement|do)\$/;
const faultOfMarks = (text: string): string | undefined =>
  OUR_MARKS.test(text)
    ? `must not hold ${OUR_MARKS.exec(text)![0]}, with which keylift quotes its functions`
    : undefined;

function faults(path: Path, reason: string | undefined): Fault[] {
  return reason === undefined ? [] : [{ path, reason }];
}

function valueAt(parsed: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null && Object.hasOwn(node, key)
        ? (node as Record<string, unknown>)[key]
        : undefined,
    parsed,
  );
}
