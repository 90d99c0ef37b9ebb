import { didYouMean } from '../config/did-you-mean.js';
import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import type { ReadSession } from '../database/session.js';
import type { MappingFault } from './mapping-fault.js';

export type Section = 'keys' | 'apis' | 'accounts';

interface Table {
  schema: string;
  name: string;
  /** As the configuration would write it. */
  written: string;
  columns: string[];
}

const TABLES = `
  SELECT n.nspname AS schema, c.relname AS name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS written,
    ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum) AS columns
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`;

/** Mapped tables and columns that are not there, each with what was probably meant. */
export async function missingNames(session: ReadSession, { legacy }: Settings): Promise<MappingFault[]> {
  const { rows: tables } = await session.query<Table>(TABLES);
  return (['keys', 'apis', 'accounts'] as const).flatMap((section) => {
    const { schema, name } = parseTableName(legacy[section].table);
    const table = tables.find((other) => other.schema === (schema ?? 'public') && other.name === name);
    return table === undefined
      ? [missingTable({ section, schema: schema ?? 'public', name }, tables)]
      : missingColumns(section, legacy[section], table.columns);
  });
}

/** A table of this name in another schema is meant more probably than one of a similar name here. */
function missingTable(
  { section, schema, name }: { section: Section; schema: string; name: string },
  tables: readonly Table[],
): MappingFault {
  const elsewhere = tables.find((other) => other.name.toLowerCase() === name.toLowerCase());
  const similar = didYouMean(
    `${schema}.${name}`,
    tables.map((other) => `${other.schema}.${other.name}`),
  );
  const meant = elsewhere ?? tables.find((other) => `${other.schema}.${other.name}` === similar);
  return {
    at: `legacy.${section}.table`,
    kind: 'table',
    problem: `no table ${schema}.${name}`,
    didYouMean: meant?.written ?? null,
  };
}

function missingColumns(section: Section, values: object, columns: string[]): MappingFault[] {
  const named = Object.entries(values).flatMap(([key, value]): [string, string][] => {
    if (key === 'table' || key === 'timeZone') return [];
    if (key === 'carry') return (value as string[]).map((column, index) => [`carry[${String(index)}]`, column]);
    return typeof value === 'string' ? [[key, value]] : [];
  });
  return named
    .filter(([, column]) => !columns.includes(column))
    .map(([key, column]) => {
      const meant = didYouMean(column, columns);
      return {
        at: `legacy.${section}.${key}`,
        kind: 'column',
        didYouMean: meant === undefined ? null : JSON.stringify(meant),
        problem: `no column ${JSON.stringify(column)}${meant === undefined ? `, there are ${columns.join(', ')}` : ''}`,
      };
    });
}
