import pg from 'pg';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { LEGACY_SCHEMA, type TestDatabase } from './database.js';

/**
 * A server that a test may crash: what was committed must survive the end of PostgreSQL, not of the machine.
 *
 * @returns the running server; the test stops it
 */
export const startOwnServer = (): Promise<EmbeddedServer> =>
  startEmbeddedServer({
    settings: { fsync: 'off', full_page_writes: 'off', max_connections: '60', shared_buffers: '32MB' },
  });

/** A database of a server that a test may restart: a copy of the template, or the legacy tables, empty. */
export async function databaseOf(
  server: EmbeddedServer,
  name: string,
  { template }: { template?: string } = {},
): Promise<TestDatabase> {
  await server.createDatabase(name, template);
  const url = server.url(name);
  const pool = new pg.Pool({ connectionString: url, max: 2, allowExitOnIdle: true });
  pool.on('error', () => undefined);
  const query = async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]) => {
    const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await pool.query<Row>(sql, values);
    return (Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1)! : result).rows;
  };
  if (template === undefined) await query(LEGACY_SCHEMA);
  const connect = async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const drop = async () => {
    await pool.end();
    await server.dropDatabase(name);
  };
  return { name, url, query, connect, drop };
}
