import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Debian keeps it beside the server's programs, off the PATH. */
const DEBIAN = '/usr/lib/postgresql';

/**
 * Where pgbench is: on the PATH, or in Debian's folder of the newest version.
 *
 * @throws Error that says which package brings it.
 */
export function locatePgbench(): string {
  const onPath = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .map((folder) => path.join(folder, 'pgbench'))
    .find((file) => existsSync(file));
  if (onPath !== undefined) return onPath;
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions
    .map((version) => path.join(DEBIAN, version, 'bin', 'pgbench'))
    .find((file) => existsSync(file));
  if (found === undefined)
    throw new Error(
      "pgbench is not there: install Debian's package postgresql-contrib or postgresql, or put it on the PATH",
    );
  return found;
}

export interface Load {
  url: string;
  /** One transaction in pgbench's language. */
  script: string;
  clients: number;
  /** Stops after this long, or when `until` is settled. */
  seconds: number;
  /** Transactions a second in all; without it, as many as go. */
  rate?: number;
  /** Prepared statements, as a gateway has them. Default true. */
  prepared?: boolean;
}

/** Latencies of one load in milliseconds. */
export interface Latencies {
  transactions: number;
  mean: number;
  p50: number;
  p95: number;
  p99: number;
}

/** Runs a load and summarises the latencies of its transactions. */
export const load = async (options: Load): Promise<Latencies> => summaryOf(await timesOf(options));

/**
 * Runs one load after the other, `seconds` each, until `work` is done; the last one, which outlives it, does not count.
 */
export async function loadDuring(options: Load, work: Promise<unknown>): Promise<Latencies> {
  const state = { done: false };
  const ended = work.finally(() => {
    state.done = true;
  });
  const all: number[] = [];
  while (!state.done) {
    const times = await timesOf(options);
    if (!state.done || all.length === 0) all.push(...times);
  }
  await ended;
  return summaryOf(all);
}

/** Each transaction's latency from pgbench's own log, in milliseconds. */
async function timesOf({ url, script, clients, seconds, rate, prepared = true }: Load): Promise<number[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'keylift-bench-'));
  try {
    const file = path.join(folder, 'transaction.sql');
    writeFileSync(file, script);
    await run(
      locatePgbench(),
      [
        '--no-vacuum',
        '--client',
        String(clients),
        '--jobs',
        '1',
        '--time',
        String(seconds),
        '--protocol',
        prepared ? 'prepared' : 'simple',
        '--file',
        file,
        '--log',
        '--log-prefix',
        path.join(folder, 'log'),
        ...(rate === undefined ? [] : ['--rate', String(rate)]),
      ],
      { env: { ...process.env, ...environmentOf(url) }, maxBuffer: 64 * 1024 * 1024 },
    );
    return millisecondsIn(
      readdirSync(folder)
        .filter((name) => name.startsWith('log'))
        .map((name) => readFileSync(path.join(folder, name), 'utf8'))
        .join(''),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The third column of pgbench's log: microseconds from when a transaction was due to its end. */
const millisecondsIn = (log: string): number[] =>
  log
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ')[2]) / 1000)
    .filter((ms) => Number.isFinite(ms));

function summaryOf(times: readonly number[]): Latencies {
  const all = [...times].sort((a, b) => a - b);
  if (all.length === 0) throw new Error('pgbench finished no transaction');
  const at = (share: number): number => all[Math.min(all.length - 1, Math.floor(all.length * share))]!;
  return {
    transactions: all.length,
    mean: all.reduce((sum, ms) => sum + ms, 0) / all.length,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
  };
}

function environmentOf(url: string): Record<string, string> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
  };
}
