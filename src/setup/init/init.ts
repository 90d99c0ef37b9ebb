import { quoteIdentifier } from '../../config/identifiers.js';
import { parseSettings } from '../../config/parse.js';
import type { Database } from '../../database/connect.js';
import { sql } from '../../database/sql.js';
import type { ReadSession } from '../../database/session.js';
import { keyliftError, type KeyliftError } from '../../errors/keylift-error.js';
import { faultLine } from '../../mapping/mapping-fault.js';
import { mappingFaults } from '../../mapping/mapping-faults.js';
import { readCatalog, type Column, type Table } from './catalog.js';
import type { Draft } from './draft.js';
import { guessConfiguration } from './guess.js';

/** Rows of the table of APIs that keylift reads to find its kinds. */
const MOST_ROWS = 100_000;
const MOST_VALUES = 50;

/**
 * Drafts a first configuration from the catalog of a database and the kinds of its APIs. Writes nothing.
 *
 * @throws `no_key_table` where no table looks like a table of API keys
 */
export async function draftConfiguration(database: Database): Promise<Draft> {
  return database.readOnly(async (session) => {
    const tables = await readCatalog(session);
    const draft = await guessConfiguration(tables, (table, column) => valuesOf(session, { table, column }));
    if (draft === null) throw noKeyTable(tables);
    // The draft must be a valid configuration.
    parseSettings(JSON.stringify(draft.settings), { file: 'the draft' });
    const faults = await mappingFaults(session, draft.settings);
    const notes = faults.map((fault) => ({
      at: fault.at,
      kind: 'doubt' as const,
      note: `correct this first: ${faultLine(fault).slice(fault.at.length + 2)}`,
    }));
    return { settings: draft.settings, notes: [...draft.notes, ...notes] };
  });
}

async function valuesOf(session: ReadSession, { table, column }: { table: Table; column: Column }): Promise<string[]> {
  const { readable } = await session.one<{ readable: boolean }>(
    `SELECT has_table_privilege($1, 'SELECT') AS readable`,
    [table.written],
  );
  if (!readable) return [];
  const name = quoteIdentifier(column.name);
  const { rows } = await session.query<{ value: string }>(
    sql`
      SELECT DISTINCT value
      FROM (SELECT ${name}::text AS value FROM ${table.written} WHERE ${name} IS NOT NULL LIMIT ${MOST_ROWS}) v
      ORDER BY value LIMIT ${MOST_VALUES}`,
  );
  return rows.map(({ value }) => value).filter((value) => value.length <= 100);
}

function noKeyTable(tables: readonly Table[]): KeyliftError {
  const names = tables.map(({ written }) => written);
  return keyliftError('no_key_table', {
    message: 'no table of this database looks like a table of API keys',
    facts: { tables: names },
  });
}
