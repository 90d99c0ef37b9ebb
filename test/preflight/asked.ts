import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { openDatabase } from '../../src/database/connect.js';
import type { ReadSession } from '../../src/database/session.js';
import { NOTHING_INSTALLED } from '../../src/ledger/installed.js';
import { inspectLegacy } from '../../src/mapping/inspect.js';
import { askGates } from '../../src/preflight/preflight.js';

export type Change = (sql: string, values: unknown[]) => { values?: unknown[]; row?: Record<string, unknown> };

/** The gates asked in this database, with one answer of the server's changed on its way. */
export async function askGatesOf(
  url: string,
  { change, host = 'elsewhere' }: { change: Change; host?: string },
): Promise<{ gate: string; text: string }[]> {
  const database = await openDatabase(url, { maxConnections: 1, applicationName: 'keylift-test' });
  try {
    return await database.readOnly(async (session) => {
      const schema = await inspectLegacy(session, DEFAULT_SETTINGS);
      const changed = async (method: 'query' | 'one', sql: string, values: unknown[]): Promise<unknown> => {
        const { values: others, row } = change(sql, values);
        const answer = await (session[method] as (sql: string, values: unknown[]) => Promise<object>).call(
          session,
          sql,
          others ?? values,
        );
        return method === 'one' ? { ...answer, ...row } : answer;
      };
      const listening = {
        query: (sql: string, values: unknown[] = []) => changed('query', sql, values),
        one: (sql: string, values: unknown[] = []) => changed('one', sql, values),
      } as unknown as ReadSession;
      return (await askGates({ session: listening, schema, host, installed: NOTHING_INSTALLED })).map(
        ({ gate, problem, wayOut }) => ({ gate, text: `${problem}; ${wayOut}` }),
      );
    });
  } finally {
    await database.close();
  }
}
