import path from 'node:path';
import { openDatabase } from '../../src/database/connect.js';
import { readFixture } from '../../src/cases/fixture.js';
import { createLegacyTables, loadRows } from '../../src/cases/load.js';
import { useTestDatabase, type TestDatabase } from '../support/database.js';
import { SHIPPED } from '../cases/case-directory.js';

/** A fresh database a test, or one for all of a `describe`, filled with a shipped fixture case by `load`. */
export function useFixtureDatabase({ each = true }: { each?: boolean } = {}): {
  database: () => TestDatabase;
  load: (name: string) => Promise<string>;
} {
  const database = useTestDatabase({ each, schema: 'none' });
  return {
    database,
    load: async (name) => {
      const { rows } = await readFixture(path.join(SHIPPED, name));
      const opened = await openDatabase(database().url);
      await opened
        .transaction(
          async (session) => {
            await createLegacyTables(session);
            await loadRows(session, rows);
          },
          { name: 'test' },
        )
        .finally(() => opened.close());
      return database().url;
    },
  };
}
