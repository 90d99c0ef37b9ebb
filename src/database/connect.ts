import pg from 'pg';
import { readAddress, type Where } from './address.js';
import { socketOf } from './separate-connection.js';
import { cancelProcesses } from './cancel.js';
import { connectFailure } from './failures.js';
import { KEEP_ALIVE } from './keep-alive.js';
import { typeParsers } from './parsers.js';
import { askServer, BEAT_MS, startConnectionMonitor } from './connection-monitor.js';
import { suppressRowLogging } from './row-logging.js';
import {
  asReader,
  beginStatement,
  inTransaction,
  type BeginOptions,
  type ReadOptions,
  type SessionOptions,
  type WriteOptions,
} from './scopes.js';
import { after } from '../timing.js';
import { withName, type OnTransaction } from './transaction-name.js';
import { openLine, type Line, type ReadSession, type WriteSession } from './session.js';

/** The server must close the connections within this time at the end. */
const LEAVE_WITHIN_MS = 2_000;

export interface OpenOptions {
  /** Shown in pg_stat_activity. Default `keylift`. */
  applicationName?: string;
  /** Default 10. Scopes beyond it wait for one to end. */
  maxConnections?: number;
  /** The time for a connection and its first answer, in milliseconds. Default 10,000. */
  connectTimeoutMs?: number;
  /** How often the connection monitor looks, in milliseconds; six beats without any answer end a connection. Default 5,000. */
  beatMs?: number;
  /** Called when a transaction with a name has ended. */
  onTransaction?: OnTransaction | undefined;
}

/** A database, used through scopes: the caller passes a function and never releases anything. */
export interface Database {
  readonly where: Where;
  /** A session outside a transaction, for what cannot run inside one (CREATE INDEX CONCURRENTLY). */
  withSession<T>(fn: (session: WriteSession) => Promise<T>, options: SessionOptions): Promise<T>;
  /** `fn` gets the number of the try, from 1: a database with retries calls it again. */
  transaction<T>(fn: (session: WriteSession, attempt: number) => Promise<T>, options: WriteOptions): Promise<T>;
  readOnly<T>(fn: (session: ReadSession) => Promise<T>, options?: ReadOptions): Promise<T>;
  /** Drops every connection: the scopes under way end as with a lost connection. */
  abandon(): void;
  /** Cancels the statements of open scopes: they fail with SQLSTATE 57014. Never throws. */
  cancelRunning(): Promise<void>;
  /** Waits for open scopes, then closes every connection. Safe to call twice. */
  close(): Promise<void>;
}

/** Opens a database by its URL. */
export type OpenAt = (url: string, options?: OpenOptions) => Promise<Database>;

/**
 * Opens a pool and checks that the server accepts a connection and answers.
 * Throws the code of what is wrong (URL, credentials, database name: exit 2) or `database_unreachable`.
 */
export async function openDatabase(url: string, options: OpenOptions = {}): Promise<Database> {
  const where = readAddress(url);
  const timeoutMs = options.connectTimeoutMs ?? 10_000;
  const pool = openPool(url, { ...options, connectTimeoutMs: timeoutMs });
  const { beatMs = BEAT_MS, onTransaction } = options;
  const database = databaseOn({ pool, url, where, timeoutMs, beatMs, onTransaction });
  try {
    await checkAnswer(pool, timeoutMs);
  } catch (error) {
    await database.close();
    throw connectFailure(error, where, { timeoutMs });
  }
  return database;
}

function openPool(
  url: string,
  { applicationName, maxConnections, connectTimeoutMs }: OpenOptions & { connectTimeoutMs: number },
): pg.Pool {
  // The pool's own timeout would also count the wait for a free connection, which may rightly take long.
  class Client extends ClosingClient {
    constructor(config?: pg.ClientConfig) {
      super({ ...config, connectionTimeoutMillis: connectTimeoutMs });
    }
  }
  const pool = new pg.Pool({
    connectionString: url,
    application_name: applicationName ?? 'keylift',
    max: maxConnections ?? 10,
    ...KEEP_ALIVE,
    types: typeParsers,
    // The pool waits for what this returns, which its types do not know.
    onConnect: (client): unknown => suppressRowLogging(client, { timeoutMs: connectTimeoutMs }),
    Client,
  });
  // The pool drops a client that fails while idle; without a listener the process would end.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

type Connected = Parameters<pg.Client['connect']>[0];

/**
 * A client that closes its socket when it cannot connect. pg leaves it open when no password was given, or when a server
 * reports an error and does not hang up; the socket would keep the process alive until the server's own timeout.
 */
class ClosingClient extends pg.Client {
  override connect(): Promise<pg.Client>;
  override connect(callback: Connected): void;
  override connect(callback?: Connected): Promise<pg.Client> | undefined {
    if (callback === undefined) return super.connect();
    super.connect((error: Error | null) => {
      if (error instanceof Error) socketOf(this).destroy();
      (callback as (error: Error | null) => void)(error);
    });
    return undefined;
  }
}

/** A pooler lets us in before it has a server, so one answer is asked for, too. */
async function checkAnswer(pool: pg.Pool, timeoutMs: number): Promise<void> {
  const client = await pool.connect();
  const question = { text: 'SELECT 1', query_timeout: timeoutMs };
  await client.query(question).then(
    () => {
      client.release();
    },
    (error: unknown) => {
      client.release(true);
      throw error;
    },
  );
}

interface Opened {
  pool: pg.Pool;
  url: string;
  where: Where;
  timeoutMs: number;
  beatMs: number;
  onTransaction: OnTransaction | undefined;
}

function databaseOn({ pool, url, where, timeoutMs, beatMs, onTransaction }: Opened): Database {
  const processes = new Set<number>();
  const lines = new Set<Line>();
  let closing: Promise<void> | undefined;
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => clients.add(client));
  pool.on('remove', (client) => clients.delete(client));
  const monitor = startConnectionMonitor({
    where,
    beatMs,
    lines: () => lines,
    ask: (processes) => askServer(url, processes, { timeoutMs: beatMs }),
  });
  const withLine = async <T>(fn: (line: Line) => Promise<T>): Promise<T> => {
    if (pool.ending) throw new Error('the database was used after it had been closed');
    const client = await pool.connect().catch((error: unknown) => {
      throw connectFailure(error, where, { timeoutMs });
    });
    const line = openLine(client, where);
    const process = processIdOf(client);
    processes.add(process);
    lines.add(line);
    try {
      return await fn(line);
    } finally {
      lines.delete(line);
      processes.delete(process);
      line.close();
      client.release(line.isLost() || client.getTransactionStatus() !== 'I');
    }
  };
  const within = <T>(
    { name, ...options }: BeginOptions & { name?: string },
    fn: (session: WriteSession) => Promise<T>,
  ): Promise<T> =>
    withName(
      name,
      () => withLine((line) => inTransaction(line.session, beginStatement(options), fn, { onBegun: line.servedBy })),
      onTransaction,
    );
  return {
    where,
    withSession: (fn) => withLine((line) => fn(line.session)),
    transaction: (fn, options) => within(options, (session) => fn(session, 1)),
    readOnly: (fn, options = {}) => within({ ...options, readOnly: true }, asReader(fn)),
    abandon: () => {
      clients.forEach((client) => {
        socketOf(client).destroy();
      });
    },
    cancelRunning: async () => {
      if (processes.size > 0) await cancelProcesses(url, processes);
    },
    close: () => (closing ??= endPool(pool, { clients }).finally(monitor.end)),
  };
}

/** A polite end waits for the server's; one that says nothing more must not keep the process. */
async function endPool(pool: pg.Pool, { clients }: { clients: ReadonlySet<pg.PoolClient> }): Promise<void> {
  await pool.end();
  after(LEAVE_WITHIN_MS, () => {
    clients.forEach((client) => {
      socketOf(client).destroy();
    });
  });
}

/** pg keeps it, and its types do not tell. */
const processIdOf = (client: pg.PoolClient): number => (client as unknown as { processID: number }).processID;
