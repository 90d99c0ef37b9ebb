import { openDatabase } from '../database/connect.js';
import { describeDatabaseError } from '../database/describe.js';
import type { WriteSession } from '../database/session.js';
import { sqlStateOf } from '../database/sqlstate.js';
import { keyliftError } from '../errors/keylift-error.js';
import { SCHEMA_SQL, type OwnTable, type OwnTables } from './own-tables.js';

/**
 * Makes the operator's own tables in an empty database and fills them, over a connection of its own: a dump sets its
 * session's search path and more.
 *
 * @throws `fixture_unloadable` for what PostgreSQL does not take
 */
export async function loadOwnTables(url: string, { schemaSql, tables }: OwnTables): Promise<void> {
  const database = await openDatabase(url, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    await database.withSession((session) => asFixture(SCHEMA_SQL, () => session.query(withoutMetaCommands(schemaSql))));
  } finally {
    await database.close();
  }
  const filling = await openDatabase(url, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    await filling.transaction(async (session) => {
      for (const table of tables) await asFixture(table.table, () => fill(session, table));
    });
  } finally {
    await filling.close();
  }
}

/** `pg_dump` writes for psql, which reads these lines itself. */
const withoutMetaCommands = (sql: string): string => sql.replace(/^\\(?:un)?restrict .*$/gm, '');

/** One statement a table: values travel as JSON text and become what the columns are in PostgreSQL. */
async function fill(session: WriteSession, { table, rows }: OwnTable): Promise<void> {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].map(
    (name) => `"${name.replaceAll('"', '""')}"`,
  );
  if (columns.length > 0) {
    await session.query(
      `INSERT INTO ${table} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
       SELECT ${columns.map((column) => `r.${column}`).join(', ')} FROM json_populate_recordset(NULL::${table}, $1::json) AS r`,
      [JSON.stringify(rows)],
    );
  }
  await advanceSequences(session, table);
  await session.query(`ANALYZE ${table}`);
}

/** The next id the platform hands out lies above the loaded ones, as it would had it handed those out too. */
async function advanceSequences(session: WriteSession, table: string): Promise<void> {
  const { rows } = await session.query<{ column: string; sequence: string }>(
    `SELECT quote_ident(attname) AS column, pg_get_serial_sequence($1, attname) AS sequence
     FROM pg_catalog.pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND pg_get_serial_sequence($1, attname) IS NOT NULL`,
    [table],
  );
  for (const { column, sequence } of rows) {
    await session.query(`SELECT setval($1::regclass, max(${column})) FROM ${table} HAVING max(${column}) > 0`, [
      sequence,
    ]);
  }
}

/** A fixture that PostgreSQL does not take is its writer's to mend, in the place named. */
async function asFixture(place: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const state = sqlStateOf(error);
    // 08, 53, 57, 58: the server's own trouble.
    if (state === undefined || /^(08|53|57|58)/.test(state)) throw error;
    throw keyliftError('fixture_unloadable', {
      message: `${place} cannot be loaded: ${describeDatabaseError(error).message.replace(/^[^:]*: /, '')}`,
      facts: { sqlstate: state },
      cause: error,
    });
  }
}
