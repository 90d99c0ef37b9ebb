import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { openDatabase } from '../../src/database/connect.js';
import { DEFAULT_FACTS, defaultSchema } from '../../src/mapping/default-schema.js';
import { inspectLegacy, readFacts, type MappedSchema } from '../../src/mapping/inspect.js';
import { useTestDatabase } from '../support/database.js';

/** Fragments are functions: they are compared by what they render. */
const rendered = ({ legacy, ...schema }: MappedSchema): unknown => ({
  ...schema,
  legacy: Object.fromEntries(
    Object.entries(legacy).map(([name, value]) => [
      name,
      typeof value === 'function' ? [value(), (value as (alias: string) => string)('x')] : value,
    ]),
  ),
});

describe('the default schema', () => {
  const database = useTestDatabase();

  it('is what the shipped default tables give', async () => {
    const opened = await openDatabase(database().url, { maxConnections: 1 });
    try {
      await opened.readOnly(async (session) => {
        expect(await readFacts(session, DEFAULT_SETTINGS)).to.deep.equal(DEFAULT_FACTS);
        expect(rendered(await inspectLegacy(session, DEFAULT_SETTINGS))).to.deep.equal(rendered(defaultSchema()));
      });
    } finally {
      await opened.close();
    }
  });
});
