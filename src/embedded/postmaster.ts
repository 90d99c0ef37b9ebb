import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import path from 'node:path';
import { retry } from '../database/retry.js';
import { pause } from '../timing.js';
import { failedWithLog, readText } from './cluster.js';
import type { Cluster } from './cluster.js';
import type { Running, Watchdog } from './watchdog.js';

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 120_000;
const POLL_MS = 20;

/** Below the range for outgoing connections, so that none of them takes the port during a restart. */
const PORTS = { from: 15_000, to: 32_000 };

export interface Postmaster extends Running {
  pid: number;
  port: number;
}

export interface StartOptions {
  cluster: Cluster;
  watchdog: Watchdog;
  settings: Record<string, string>;
  /** The port of a restart. Default: a free one. */
  port?: number;
  stop: AbortSignal;
}

/**
 * Starts PostgreSQL and resolves when it accepts connections. Another program may take the port first, so an early end
 * is retried, with another port where the caller names none.
 *
 * @throws `embedded_start_failed`, `embedded_start_timeout`
 */
export async function startPostmaster(options: StartOptions): Promise<Postmaster> {
  const { stop } = options;
  return retry(() => tryToStart(options), { policy: 'embeddedStart', stop });
}

async function tryToStart(options: StartOptions): Promise<Postmaster> {
  const { cluster, watchdog } = options;
  const port = options.port ?? (await freePort());
  const running = await watchdog.run({
    file: cluster.binaries.postgres,
    args: ['-D', cluster.data, ...settingArguments({ ...options.settings, ...addressSettings(port) })],
    cwd: cluster.directory,
    log: cluster.log,
    runAs: cluster.runAs,
  });
  if (await isReady(running, options)) return Object.assign(running, { pid: running.pid!, port });
  throw await failedWithLog('embedded_start_failed', cluster, { port, ...running.ended });
}

/** Stops PostgreSQL like `pg_ctl stop -m`, and resolves when it has ended. */
export async function stopPostmaster(running: Running, watchdog: Watchdog, mode: 'fast' | 'immediate'): Promise<void> {
  if (running.ended === undefined) watchdog.signal(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
  await running.exit;
}

/** Only this machine can reach the server. */
function addressSettings(port: number): Record<string, string> {
  return { listen_addresses: HOST, port: String(port), unix_socket_directories: '' };
}

function settingArguments(settings: Record<string, string>): string[] {
  const all = { timezone: 'UTC', log_timezone: 'UTC', ...settings };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function isReady(running: Running, { cluster, watchdog, stop }: StartOptions): Promise<boolean> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (running.ended === undefined) {
    if (await isAccepting(cluster, running.pid)) return true;
    if (performance.now() > deadline) {
      await stopPostmaster(running, watchdog, 'immediate');
      throw await failedWithLog('embedded_start_timeout', cluster, { seconds: START_TIMEOUT_MS / 1000 });
    }
    await Promise.race([pause(POLL_MS, stop), running.exit]);
  }
  return false;
}

/** In postmaster.pid the first line is the pid, and the eighth is `ready` when pg_ctl would stop waiting. */
async function isAccepting({ data }: Cluster, pid: number | undefined): Promise<boolean> {
  const lines = (await readText(path.join(data, 'postmaster.pid')))?.split('\n');
  return lines?.[0] === String(pid) && lines[7]?.trim() === 'ready';
}

async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to);
    if (await canListen(port)) return port;
  }
}

async function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, HOST, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
