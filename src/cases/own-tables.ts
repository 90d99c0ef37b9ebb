import path from 'node:path';
import { parseTableName, quoteTable } from '../config/identifiers.js';
import { isPostgresText } from './formats.js';
import type { FixtureFault } from './faults.js';
import { MISSING } from '../files/read.js';
import { readUtf8 } from './files.js';
import { joinPath } from './json-text.js';
import { validateLegacy } from './schema.js';
import { EXIT } from '../errors/exit-codes.js';
import { hasExit } from '../errors/keylift-error.js';

/** The DDL of a case's own tables: the output of `pg_dump --schema-only --no-owner --no-privileges`. */
export const SCHEMA_SQL = 'schema.sql';

/** The rows of one table. The name is quoted. Values are as PostgreSQL reads them from JSON. */
export interface OwnTable {
  table: string;
  rows: Record<string, unknown>[];
}

/** A case's own tables: their DDL, and their rows in the order of the file. */
export interface OwnTables {
  schemaSql: string;
  tables: OwnTable[];
}

interface RowFault {
  path: string;
  message: string;
}

/** True if a parsed `legacy.json` contains its own tables. */
export const isOwnForm = (value: unknown): value is { tables: Record<string, Record<string, unknown>[]> } =>
  typeof value === 'object' &&
  value !== null &&
  Object.hasOwn(value, 'tables') &&
  !['accounts', 'apis', 'keys'].some((name) => Object.hasOwn(value, name));

export const ownTablesOf = (value: unknown): OwnTable[] =>
  isOwnForm(value)
    ? Object.entries(value.tables).map(([name, rows]) => ({ table: quoteTable(parseTableName(name)), rows }))
    : [];

/** Faults of rows in a case's own tables. PostgreSQL checks the types of the columns. */
export function faultsOfOwnRows(value: unknown): RowFault[] {
  const structural = validateLegacy(value, 'own');
  if (structural.length > 0 || !isOwnForm(value)) return structural;
  return Object.entries(value.tables).flatMap(([name, rows]) => [
    ...faultOfName(name),
    ...rows.flatMap((row, at) => faultsOfValue(row, joinPath(joinPath('tables', name), at))),
  ]);
}

function faultOfName(name: string): RowFault[] {
  try {
    parseTableName(name);
    return [];
  } catch (error) {
    if (!hasExit(error, EXIT.usage)) throw error;
    return [
      { path: joinPath('tables', name), message: 'not a table name in SQL: table, schema.table, or public."ApiKey"' },
    ];
  }
}

function faultsOfValue(value: unknown, at: string): RowFault[] {
  if (typeof value === 'string' && !isPostgresText(value))
    return [{ path: at, message: 'not a text PostgreSQL can store (no U+0000, no half of a surrogate pair)' }];
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    return [{ path: at, message: 'a number beyond 2^53 loses digits in JSON: write it as a string' }];
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([field, inner]) =>
    faultsOfValue(inner, joinPath(at, Array.isArray(value) ? Number(field) : field)),
  );
}

/** The DDL in the folder of the case, or in the folder above. */
export async function readSchemaSql(directory: string): Promise<{ text: string; faults: FixtureFault[] }> {
  for (const folder of [directory, path.dirname(path.resolve(directory))]) {
    const { text, fault } = await readUtf8(path.join(folder, SCHEMA_SQL));
    if (text !== undefined) return { text, faults: [] };
    if (fault !== MISSING) return { text: '', faults: [{ file: SCHEMA_SQL, path: '', message: fault }] };
  }
  return {
    text: '',
    faults: [
      {
        file: SCHEMA_SQL,
        path: '',
        message: `${MISSING}, neither here nor in the folder above: a case with its own tables needs their DDL`,
      },
    ],
  };
}
