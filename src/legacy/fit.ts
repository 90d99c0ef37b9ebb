import { didYouMean } from '../config/did-you-mean.js';
import { parseTableName } from '../config/identifiers.js';
import type { Settings } from '../config/settings.js';
import { describeDatabaseError } from '../database/describe.js';
import type { ReadSession } from '../database/session.js';
import { isPermission, sqlStateOf } from '../database/sqlstate.js';
import { RefusedError, UsageError } from '../errors.js';
import { inspectLegacy, type MappedSchema } from './inspect.js';

/**
 * `inspectLegacy` for a configuration nobody has tried yet: says by configuration key what is not there, and
 * whatever else the server says of the operator's expressions as the operator's to mend.
 *
 * @throws UsageError `mapping_missing` with all missing tables and columns at once, or `mapping_invalid`.
 */
export async function inspectMapping(session: ReadSession, { settings, configFile }: { settings: Settings; configFile: string | undefined }): Promise<MappedSchema> {
  const where = configFile ?? 'the default configuration';
  const faults = await missing(session, settings);
  if (faults.length > 0) {
    throw new UsageError('mapping_missing', `${where} names what this database does not have:\n${faults.map((f) => `  ${f}`).join('\n')}`, {
      hint: 'Mend the configuration; nothing was changed.', anchor: 'mapping',
    });
  }
  try {
    return await inspectLegacy(session, settings);
  } catch (error) {
    const state = sqlStateOf(error) ?? '';
    if (isPermission(error)) throw unreadable(error);
    if (!/^(42|22)/.test(state)) throw error;
    throw new UsageError('mapping_invalid', `${where} does not fit this database: ${describeDatabaseError(error).message.replace(/^[^:]*: /, '')}`, {
      facts: { sqlstate: state }, cause: error,
      hint: 'Mend the types and the { "sql": … } expressions of the configuration; nothing was changed.', anchor: 'mapping',
    });
  }
}

/** The gate for rights, asked before the others can be: without reading the mapped tables nothing can be said of them. */
function unreadable(error: unknown): RefusedError {
  const problem = describeDatabaseError(error).message.replace(/^[^:]*: /, '');
  return new RefusedError('preflight', `preflight says no: ${problem}`, {
    facts: { gates: [`rights: ${problem}; grant SELECT on it (runbook.md#roles) or run as the role that owns the tables`] },
    cause: error, hint: 'Nothing was changed. Clear the gate above and run the command again.', anchor: 'gate-rights',
  });
}

async function missing(session: ReadSession, { legacy }: Settings): Promise<string[]> {
  const faults: string[] = [];
  for (const [section, values] of Object.entries(legacy)) {
    const { schema, name } = parseTableName((values as { table: string }).table);
    const columns = await columnsOf(session, { schema: schema ?? 'public', name });
    if (columns === undefined) faults.push(`legacy.${section}.table: no table ${await nearTable(session, { schema: schema ?? 'public', name })}`);
    else faults.push(...missingColumns(section, values as unknown as Record<string, unknown>, columns));
  }
  return faults;
}

function missingColumns(section: string, values: Record<string, unknown>, columns: string[]): string[] {
  const named = Object.entries(values).flatMap(([key, value]): [string, string][] => {
    if (key === 'table') return [];
    if (key === 'carry') return (value as string[]).map((column, index) => [`carry[${String(index)}]`, column]);
    return typeof value === 'string' ? [[key, value]] : [];
  });
  return named.filter(([, column]) => !columns.includes(column)).map(([key, column]) => {
    const meant = didYouMean(column, columns);
    return `legacy.${section}.${key}: no column ${JSON.stringify(column)}, ${meant === undefined ? `there are ${columns.join(', ')}` : `did you mean ${JSON.stringify(meant)}?`}`;
  });
}

/** Column names of a table or view, or undefined where there is none. */
async function columnsOf(session: ReadSession, { schema, name }: { schema: string; name: string }): Promise<string[] | undefined> {
  const { rows } = await session.query<{ column: string | null }>(
    `SELECT a.attname AS column FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY a.attnum`,
    [schema, name],
  );
  return rows.length === 0 ? undefined : rows.flatMap(({ column }) => column ?? []);
}

async function nearTable(session: ReadSession, { schema, name }: { schema: string; name: string }): Promise<string> {
  const { rows } = await session.query<{ name: string }>(
    `SELECT n.nspname || '.' || c.relname AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'`,
  );
  const meant = didYouMean(`${schema}.${name}`, rows.map((row) => row.name));
  return meant === undefined ? `${schema}.${name}` : `${schema}.${name}, did you mean ${meant}?`;
}
