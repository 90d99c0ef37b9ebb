import { spawnSync } from 'node:child_process';
import { chown, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { findRunAs } from '../../src/embedded/run-as.js';
import { Watchdog, type Running } from '../../src/embedded/watchdog.js';
import { serverUrl } from './database.js';
import { until } from './waiting.js';

const HOST = '127.0.0.1';
const ATTEMPTS = 5;

/** The program's version, or null where it is not installed; the gate insists on it. */
export const PGBOUNCER = findProgram();

function findProgram(): string | null {
  const { status, stdout } = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' });
  if (status === 0) return stdout.split('\n')[0]!;
  if (process.env['KEYLIFT_TEST_EXTRAS'] === 'required')
    throw new Error('pgbouncer is not installed (Debian: apt-get install pgbouncer)');
  return null;
}

/** A PgBouncer in transaction mode before the suite's server. It ends when this process ends, whichever way that is. */
export interface Pooler {
  /** The URL of a database of the suite's server, through the pooler. */
  url(database: string): string;
  /** Rows of its console (`SHOW STATS`, `SHOW SERVERS`), or an order to it. */
  console(command: string): Promise<Record<string, string | number>[]>;
  stop(): Promise<void>;
}

export interface PoolerOptions {
  /** Server connections a database at most: fewer than keylift opens, so that they have to be shared. */
  poolSize: number;
  /** What every server connection begins with, as settings of a role would have it. */
  connectQuery?: string;
}

export async function startPooler(options: PoolerOptions): Promise<Pooler> {
  const runAs = findRunAs();
  const directory = await mkdtemp(path.join(os.tmpdir(), 'keylift-pgbouncer-'));
  const watchdog = new Watchdog(directory);
  const files = await writeFiles(directory);
  if (runAs !== undefined) for (const file of [directory, files.users]) await chown(file, runAs.uid, runAs.gid);
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    await writeFile(files.settings, settings({ ...options, port, users: files.users }));
    const running = await watchdog.run({
      file: 'pgbouncer',
      args: ['--quiet', files.settings],
      cwd: directory,
      log: path.join(directory, 'log'),
      runAs,
    });
    if (await answers(running, port)) return pooler({ port, watchdog });
    // Another program may have taken the port between our look and its bind.
    if (attempt === ATTEMPTS) throw new Error(`pgbouncer does not start: ${JSON.stringify(running.ended)}`);
  }
}

function pooler({ port, watchdog }: { port: number; watchdog: Watchdog }): Pooler {
  return {
    url: (database) => through(port, database),
    console: async (command) =>
      withClient(
        through(port, 'pgbouncer'),
        async (client) => (await client.query<Record<string, string | number>>(command)).rows,
      ),
    stop: () => watchdog.end(),
  };
}

function through(port: number, database: string): string {
  const url = new URL(serverUrl(database));
  url.host = `${HOST}:${String(port)}`;
  return url.href;
}

async function withClient<T>(url: string, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await fn(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function writeFiles(directory: string): Promise<{ settings: string; users: string }> {
  const { username, password } = new URL(serverUrl());
  const users = path.join(directory, 'users.txt');
  await writeFile(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`, { mode: 0o600 });
  return { settings: path.join(directory, 'pgbouncer.ini'), users };
}

function settings({ port, users, poolSize, connectQuery }: PoolerOptions & { port: number; users: string }): string {
  const server = new URL(serverUrl());
  return `
[databases]
* = host=${server.hostname} port=${server.port || '5432'}${connectQuery === undefined ? '' : ` connect_query='${connectQuery}'`}
[pgbouncer]
listen_addr = ${HOST}
listen_port = ${String(port)}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
admin_users = ${decodeURIComponent(server.username)}
pool_mode = transaction
default_pool_size = ${String(poolSize)}
max_client_conn = 200
`;
}

async function answers(running: Running, port: number): Promise<boolean> {
  let ready = false;
  await until('pgbouncer to answer, or to end', async () => {
    ready = await withClient(through(port, 'pgbouncer'), (client) => client.query('SHOW VERSION')).then(
      () => true,
      () => false,
    );
    return ready || running.ended !== undefined;
  });
  return ready;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, HOST, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
