import { expect } from 'chai';
import { openDatabase } from '../../src/database/connect.js';
import { readCases } from '../../src/cases/cases.js';
import type { FixtureKey, LegacyRows } from '../../src/cases/fixture.js';
import { createLegacyTables, loadRows } from '../../src/cases/load.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { SHIPPED } from './case-directory.js';

/** How many rows equal this one; each value goes its own way as a text parameter, not through the loader's JSON. */
const EQUAL_KEYS = `
  SELECT count(*)::int AS rows FROM public.api_keys
  WHERE id = $1::bigint
    AND account_id IS NOT DISTINCT FROM $2::bigint AND api_id IS NOT DISTINCT FROM $3::bigint
    AND name IS NOT DISTINCT FROM $4::text AND token IS NOT DISTINCT FROM $5::text
    AND created_at IS NOT DISTINCT FROM $6::timestamptz AND last_used_at IS NOT DISTINCT FROM $7::timestamptz
    AND revoked_at IS NOT DISTINCT FROM $8::timestamptz AND expires_at IS NOT DISTINCT FROM $9::timestamptz`;

function valuesOf(key: FixtureKey): (string | null)[] {
  return [
    key.id,
    key.account_id,
    key.api_id,
    key.name,
    key.token,
    key.created_at,
    key.last_used_at,
    key.revoked_at,
    key.expires_at,
  ].map((value) => (value === undefined || value === null ? null : String(value)));
}

async function withLoaded<T>(rows: LegacyRows, fn: (database: TestDatabase) => Promise<T>): Promise<T> {
  const scratch = await createTestDatabase({ schema: 'none' });
  try {
    const database = await openDatabase(scratch.url);
    await database.transaction(
      async (session) => {
        await createLegacyTables(session);
        await loadRows(session, rows);
      },
      { name: 'test' },
    );
    await database.close();
    return await fn(scratch);
  } finally {
    await scratch.drop();
  }
}

describe('snapshot/load', () => {
  it('loads every shipped case verbatim: each key is found again, field by field', async () => {
    for (const { name, rows } of await readCases(SHIPPED)) {
      await withLoaded(rows, async (database) => {
        for (const key of rows.keys) {
          const [found] = await database.query<{ rows: number }>(EQUAL_KEYS, valuesOf(key));
          expect(found?.rows, `${name}: key ${String(key.id)}`).to.equal(1);
        }
        const counts = await database.query(
          `SELECT (SELECT count(*)::int FROM accounts) AS accounts, (SELECT count(*)::int FROM apis) AS apis,
             (SELECT count(*)::int FROM api_keys) AS keys`,
        );
        expect(counts, name).to.deep.equal([
          { accounts: rows.accounts.length, apis: rows.apis.length, keys: rows.keys.length },
        ]);
      });
    }
  });

  it('keeps a microsecond and an id that a JavaScript number cannot hold', async () => {
    const keys = [{ id: '9007199254740993', created_at: '2024-03-31T03:00:00.000001+02:00' }];
    await withLoaded({ accounts: [], apis: [], keys }, async (database) => {
      const stored = await database.query(
        `SELECT id::text, to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') AS created FROM api_keys`,
      );
      expect(stored).to.deep.equal([{ id: '9007199254740993', created: '2024-03-31 01:00:00.000001' }]);
    });
  });

  it('leaves the next id above the loaded ones, and at 1 where nothing was loaded', async () => {
    const rows: LegacyRows = { accounts: [], apis: [{ id: -5, slug: 's', kind: 'store' }], keys: [{ id: 41 }] };
    await withLoaded(rows, async (database) => {
      const next = await database.query(`
        WITH o AS (INSERT INTO accounts (kind, name) VALUES ('user', 'x') RETURNING id),
             a AS (INSERT INTO apis (slug, kind) VALUES ('t', 'store') RETURNING id),
             k AS (INSERT INTO api_keys DEFAULT VALUES RETURNING id)
        SELECT o.id::int AS account, a.id::int AS api, k.id::int AS key FROM o, a, k`);
      expect(next).to.deep.equal([{ account: 1, api: 1, key: 42 }]);
    });
  });

  it('survives the largest id there is', async () => {
    const rows: LegacyRows = { accounts: [], apis: [], keys: [{ id: '9223372036854775807' }] };
    await withLoaded(rows, async (database) => {
      expect(await database.query('SELECT id::text FROM api_keys')).to.deep.equal([{ id: '9223372036854775807' }]);
    });
  });

  it('has the index a gateway looks tokens up by', async () => {
    await withLoaded({ accounts: [], apis: [], keys: [] }, async (database) => {
      const indexes = await database.query(`SELECT indexname FROM pg_indexes WHERE indexdef LIKE '%api_keys%(token)'`);
      expect(indexes).to.deep.equal([{ indexname: 'api_keys_token_idx' }]);
    });
  });
});
