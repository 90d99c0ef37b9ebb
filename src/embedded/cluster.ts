import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Binaries } from './binaries.js';
import type { ErrorCode } from '../errors/catalogue.js';
import { keyliftError } from '../errors/keylift-error.js';
import type { RunAs } from './run-as.js';
import type { Watchdog } from './watchdog.js';

/** The files and programs of one server. */
export interface Cluster {
  binaries: Binaries;
  /** The server's directory, with the data, the log and, for a persistent server, the password. */
  directory: string;
  /** The data directory of PostgreSQL. */
  data: string;
  log: string;
  password: string;
  runAs: RunAs | undefined;
}

export interface OpenClusterOptions {
  binaries: Binaries;
  directory: string;
  persistent: boolean;
  runAs: RunAs | undefined;
  watchdog: Watchdog;
}

/**
 * Opens the cluster of a persistent server in the directory, else creates one: UTF8, ordered by code point on every
 * machine, accessible with a random password only.
 *
 * @throws `embedded_version_differs`; `embedded_initdb_failed`
 */
export async function openCluster(options: OpenClusterOptions): Promise<Cluster> {
  const { binaries, directory, persistent, runAs } = options;
  const at = (name: string) => path.join(directory, name);
  const kept = await readText(at('password'));
  const cluster = {
    binaries,
    directory,
    runAs,
    data: at('data'),
    log: at('server.log'),
    password: kept?.trim() ?? randomBytes(18).toString('hex'),
  };
  if (kept !== undefined) await assertSameMajor(cluster);
  else await makeCluster(cluster, { persistent, watchdog: options.watchdog });
  return cluster;
}

async function assertSameMajor({ data, binaries }: Cluster): Promise<void> {
  const found = (await readText(path.join(data, 'PG_VERSION')))?.trim();
  if (found === String(binaries.major)) return;
  throw keyliftError('embedded_version_differs', {
    message: `${data} does not belong to PostgreSQL ${binaries.major}`,
    facts: { directory: data, found: found ?? null, wanted: binaries.major },
  });
}

async function makeCluster(cluster: Cluster, { persistent, watchdog }: { persistent: boolean; watchdog: Watchdog }) {
  const { directory, data, log, runAs, binaries } = cluster;
  const draft = path.join(directory, 'password.new');
  await writeFile(draft, `${cluster.password}\n`, { mode: 0o600 });
  await mkdir(data, { recursive: true, mode: 0o700 });
  if (runAs !== undefined) for (const name of [draft, data]) await chown(name, runAs.uid, runAs.gid);
  const running = await watchdog.run({
    file: binaries.initdb,
    args: initdbArguments(cluster, { draft, persistent }),
    cwd: directory,
    log,
    runAs,
  });
  const { code, signal, error } = await running.exit;
  if (code !== 0) throw await failedWithLog('embedded_initdb_failed', cluster, { code, signal, error });
  // The password file marks a complete cluster. A server that is not persistent needs it no longer.
  if (persistent) await rename(draft, path.join(directory, 'password'));
  else await rm(draft);
}

function initdbArguments(
  { data, binaries }: Cluster,
  { draft, persistent }: { draft: string; persistent: boolean },
): string[] {
  return [
    `--pgdata=${data}`,
    '--username=postgres',
    `--pwfile=${draft}`,
    '--auth=scram-sha-256',
    '--no-instructions',
    '--encoding=UTF8',
    '--locale=C',
    // The built-in C.UTF-8 orders by code point and knows upper and lower case beyond ASCII, on every machine.
    ...(binaries.major >= 17 ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8'] : []),
    ...(persistent ? [] : ['--no-sync']),
  ];
}

/** The error of a program that failed, with the end of its output. */
export async function failedWithLog(code: ErrorCode, cluster: Cluster, facts: Record<string, unknown>) {
  const printed = (await readText(cluster.log)) ?? '';
  return keyliftError(code, {
    message: 'the embedded PostgreSQL did not start',
    facts: {
      ...facts,
      directory: cluster.directory,
      version: cluster.binaries.version,
      log: printed.trimEnd().split('\n').slice(-15),
    },
  });
}

/** The text of a file, or undefined when it does not exist. */
export async function readText(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
}
