import { openDatabase } from '../database/connect.js';
import { describeDatabaseError } from '../database/describe.js';
import type { WriteSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { sqlStateOf } from '../database/sqlstate.js';
import { keyliftError } from '../errors/keylift-error.js';
import { SCHEMA_SQL, type OwnTable, type OwnTables } from './own-tables.js';

/**
 * Creates a case's own tables in an empty database and fills them. The DDL runs on a connection of its own, because a
 * dump changes the search path and other settings of its session.
 *
 * @throws `fixture_unloadable` for what PostgreSQL does not accept
 */
export async function loadOwnTables(url: string, { schemaSql, tables }: OwnTables): Promise<void> {
  const database = await openDatabase(url, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    await database.withSession(
      (session) => asFixture(SCHEMA_SQL, () => session.query(withoutMetaCommands(schemaSql))),
      { name: 'fixture: create the tables' },
    );
  } finally {
    await database.close();
  }
  const filling = await openDatabase(url, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    await filling.transaction(
      async (session) => {
        for (const table of tables) await asFixture(table.table, () => fill(session, table));
      },
      { name: 'fixture: fill the tables' },
    );
  } finally {
    await filling.close();
  }
}

/** Removes the lines of `pg_dump` that only psql understands. */
const withoutMetaCommands = (dump: string): string => dump.replace(/^\\(?:un)?restrict .*$/gm, '');

/** Inserts the rows of a table in one statement. PostgreSQL converts the JSON values to the types of the columns. */
async function fill(session: WriteSession, { table, rows }: OwnTable): Promise<void> {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))].map(
    (name) => `"${name.replaceAll('"', '""')}"`,
  );
  if (columns.length > 0) {
    await session.query(
      sql`
        INSERT INTO ${table} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
        SELECT ${columns.map((column) => `r.${column}`).join(', ')}
        FROM json_populate_recordset(NULL::${table}, $1::json) AS r`,
      [JSON.stringify(rows)],
    );
  }
  await advanceSequences(session, table);
  await session.query(`ANALYZE ${table}`);
}

/** Advances the sequences past the loaded ids, as if the platform had created the rows. */
async function advanceSequences(session: WriteSession, table: string): Promise<void> {
  const { rows } = await session.query<{ column: string; sequence: string }>(
    sql`
      SELECT quote_ident(attname) AS column, pg_get_serial_sequence($1, attname) AS sequence
      FROM pg_catalog.pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
        AND pg_get_serial_sequence($1, attname) IS NOT NULL`,
    [table],
  );
  for (const { column, sequence } of rows) {
    await session.query(`SELECT setval($1::regclass, max(${column})) FROM ${table} HAVING max(${column}) > 0`, [
      sequence,
    ]);
  }
}

/** Reports data that PostgreSQL refuses as a fault of the fixture. */
async function asFixture(place: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const state = sqlStateOf(error);
    // 08, 53, 57, 58: faults of the server.
    if (state === undefined || /^(08|53|57|58)/.test(state)) throw error;
    throw keyliftError('fixture_unloadable', {
      message: `${place} cannot be loaded: ${describeDatabaseError(error).message.replace(/^[^:]*: /, '')}`,
      facts: { sqlstate: state },
      cause: error,
    });
  }
}
