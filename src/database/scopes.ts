import { NOTE_DEFAULT_PATH } from './default-path.js';
import type { ReadSession, Server, WriteSession } from './session.js';
import { liftTransactionTimeout } from './transaction-timeout.js';

/**
 * How long a transaction may do nothing at all. Ours are never idle but between two statements; one whose process was
 * stopped, or whose network died, must not hold its locks against the platform.
 */
export const IDLE_TIMEOUT_MS = 60_000;

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** What a session outside a transaction is for. */
export interface SessionOptions {
  /** A name of its own in the sources, as for a transaction. */
  name: string;
}

interface ScopeOptions {
  /** Default: no limit. */
  statementTimeoutMs?: number;
  /** Default: that of the retry policy. */
  lockTimeoutMs?: number;
  /** How a database with retries tries the scope again; `none` where the caller does that. Default `transaction`. */
  retry?: 'transaction' | 'underLoad' | 'none';
  /** Where names are looked up, quoted, as in SQL. Default: that of the session. */
  searchPath?: string;
  /** The scope begins also after the operator has asked to stop: it records work that is done. */
  afterStop?: boolean;
}

export interface ReadOptions extends ScopeOptions {
  /** What the transaction does. Errors show it. */
  name?: string;
  isolation?: 'read committed' | 'repeatable read';
  /** What another session of this server exported: this one sees the same. Needs repeatable read. */
  snapshot?: string;
}

export interface WriteOptions extends ScopeOptions {
  /** What the transaction does, `backfill: copy a batch`: each in the sources has another. Errors and the log show it. */
  name: string;
  isolation?: Isolation;
  /** Default: `IDLE_TIMEOUT_MS`. */
  idleTimeoutMs?: number;
  /** The commit does not wait for the disk: only for work that a rerun would do again. */
  asynchronousCommit?: boolean;
  /** The scope needs a whole table of keylift's own, so a try must outlast an autovacuum of that table. */
  wholeTable?: boolean;
}

/** What a transaction sets when it begins. */
export type BeginOptions = Omit<WriteOptions, 'name'> & Pick<ReadOptions, 'snapshot'> & { readOnly?: boolean };

/** How a transaction begins: one round trip, and SET LOCAL alone, so that a transaction pooler is no obstacle. */
export function beginStatement(options: BeginOptions): string {
  const isolation = (options.isolation ?? 'read committed').toUpperCase();
  return [
    options.readOnly === true
      ? `BEGIN TRANSACTION READ ONLY, ISOLATION LEVEL ${isolation}`
      : `BEGIN TRANSACTION READ WRITE, ISOLATION LEVEL ${isolation}`,
    ...(options.snapshot === undefined ? [] : [`SET TRANSACTION SNAPSHOT '${snapshotId(options.snapshot)}'`]),
    // Timestamps travel as text, so a role's own date style must not reach them.
    `SET LOCAL datestyle = 'ISO'`,
    // Compiling what we ask costs more than it wins: `plan` takes nearly twice as long with it (docs/performance.md).
    'SET LOCAL jit = off',
    ...(options.searchPath === undefined || options.readOnly === true ? [] : [NOTE_DEFAULT_PATH]),
    ...(options.searchPath === undefined ? [] : [`SET LOCAL search_path = ${options.searchPath}`]),
    // What the role or the database says is meant for the platform's statements; ours know how long they may take.
    ...setting('statement_timeout', options.statementTimeoutMs ?? 0),
    liftTransactionTimeout('transaction'),
    ...setting('lock_timeout', options.lockTimeoutMs),
    ...setting('idle_in_transaction_session_timeout', options.idleTimeoutMs ?? IDLE_TIMEOUT_MS),
    ...(options.asynchronousCommit === true ? ['SET LOCAL synchronous_commit = off'] : []),
  ].join('; ');
}

/** As PostgreSQL writes it; it can only stand in the text. */
function snapshotId(snapshot: string): string {
  if (!/^[0-9A-F-]+$/.test(snapshot)) throw new RangeError(`snapshot: ${snapshot}`);
  return snapshot;
}

function setting(name: string, milliseconds: number | undefined): string[] {
  if (milliseconds === undefined) return [];
  if (!Number.isFinite(milliseconds) || milliseconds < 0) throw new RangeError(`${name}: ${String(milliseconds)}`);
  return [`SET LOCAL ${name} = ${String(Math.ceil(milliseconds))}`];
}

const WHO = `SELECT pg_catalog.pg_backend_pid() AS process, pg_catalog.pg_postmaster_start_time()::text AS started`;

/** BEGIN, `fn`, COMMIT. What `fn` throws rolls back and is thrown on. The session belongs to the caller. */
export async function inTransaction<T>(
  session: WriteSession,
  begin: string,
  fn: (session: WriteSession) => Promise<T>,
  { onBegun }: { onBegun?: (server: Server) => void } = {},
): Promise<T> {
  try {
    const server = await session.one<Server>(`${begin}; ${WHO}`);
    onBegun?.(server);
    const result = await fn(session);
    await commit(session);
    return result;
  } catch (error) {
    await session.query('ROLLBACK').catch(() => undefined); // the first error is the one to tell
    throw error;
  }
}

/** COMMIT of a failed transaction rolls back without an error; somebody swallowed one, and must hear of it. */
async function commit(session: WriteSession): Promise<void> {
  const { command } = await session.query('COMMIT');
  if (command !== 'COMMIT')
    throw new Error('a statement failed inside the transaction and its error was swallowed; nothing was committed');
}

/** Hands a session on as one that only reads; the transaction around it is READ ONLY. */
export function asReader<T>(fn: (session: ReadSession) => Promise<T>): (session: WriteSession) => Promise<T> {
  return (session) => fn(session);
}
