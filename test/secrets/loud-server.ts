import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { LEGACY_SCHEMA, type TestDatabase } from '../support/database.js';

/** Everything that PostgreSQL can be told to write down: statements, bound values, plans, errors with their rows. */
const LOUD = {
  fsync: 'off',
  log_statement: 'all',
  log_duration: 'on',
  log_min_messages: 'info',
  log_min_error_statement: 'info',
  log_error_verbosity: 'verbose',
  log_parameter_max_length: '-1',
  log_parameter_max_length_on_error: '-1',
  log_connections: 'on',
  log_lock_waits: 'on',
  log_line_prefix: '%m [%p] <%a> ',
  track_activity_query_size: '1048576',
  shared_preload_libraries: 'auto_explain',
  'auto_explain.log_min_duration': '0',
  'auto_explain.log_nested_statements': 'on',
  'auto_explain.log_analyze': 'on',
  'auto_explain.log_verbose': 'on',
  'auto_explain.log_timing': 'off',
};

/** The name of the test's own sessions, whose statements are no business of keylift's. */
const OURS = 'the-test';

/** A server that keeps nothing to itself. */
export interface LoudServer {
  server: EmbeddedServer;
  /** A database with the legacy tables; the URL is an operator's, the queries are the test's own. */
  database(name: string): Promise<TestDatabase>;
  /** Entries of the log since the last call, all their lines, that are of other sessions than the test's. */
  entries(): Promise<string[]>;
  /** Those of the test's own sessions, which stand for the platform. */
  platformEntries(): Promise<string[]>;
  stop(): Promise<void>;
}

export async function startLoudServer(): Promise<LoudServer> {
  const major = process.env.KEYLIFT_TEST_PG;
  const server = await startEmbeddedServer({ settings: LOUD, ...(major ? { majorVersion: Number(major) } : {}) });
  const pools: pg.Pool[] = [];
  let read = 0;
  const fresh = async (): Promise<string[]> => {
    const log = await readFile(server.logFile, 'utf8');
    const text = log.slice(read);
    read = log.length;
    return text.split(/^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ \S+ \[\d+\] <)/m);
  };
  const isOurs = (entry: string): boolean => entry.includes(`] <${OURS}> `);
  return {
    server,
    database: async (name) => {
      await server.createDatabase(name);
      return databaseOf(server.url(name), name, pools);
    },
    entries: async () => (await fresh()).filter((entry) => !isOurs(entry)),
    platformEntries: async () => (await fresh()).filter(isOurs),
    stop: async () => {
      await Promise.all(pools.map((pool) => pool.end()));
      await server.stop();
    },
  };
}

async function databaseOf(url: string, name: string, pools: pg.Pool[]): Promise<TestDatabase> {
  const own = { connectionString: url, application_name: OURS };
  const pool = new pg.Pool({ ...own, max: 4, allowExitOnIdle: true });
  pool.on('error', () => undefined);
  pools.push(pool);
  const query = async <Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> => {
    const result: pg.QueryResult<Row> | pg.QueryResult<Row>[] = await pool.query<Row>(sql, values);
    return (Array.isArray(result) ? (result as pg.QueryResult<Row>[]).at(-1)! : result).rows;
  };
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client(own);
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  await query(LEGACY_SCHEMA);
  return { name, url, query, connect, drop: () => Promise.resolve() };
}
