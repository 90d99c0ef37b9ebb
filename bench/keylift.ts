import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What operators run: the compiled program. */
const PROGRAM = fileURLToPath(new URL('../dist/src/cli.js', import.meta.url));
const LOOK_EVERY_MS = 50;

/** What one run of the program took. */
export interface Ran {
  seconds: number;
  /** Most memory the process ever held, in MiB; null where the system does not tell (no /proc). */
  peakMiB: number | null;
  stdout: string;
  code: number | null;
}

/**
 * Runs keylift as its own process, from start to end.
 *
 * @throws Error with what it printed when it ends in another way than done or done with exceptions.
 */
export async function keylift(args: string[], url?: string): Promise<Ran> {
  const started = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, ...(url === undefined ? {} : { DATABASE_URL: url }) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  let peakMiB: number | null = null;
  const watch = setInterval(() => {
    peakMiB = peakOf(child.pid) ?? peakMiB;
  }, LOOK_EVERY_MS);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(watch);
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0 && code !== 6)
    throw new Error(`keylift ${args.join(' ')} ended with ${String(code)}:\n${Buffer.concat(err).toString()}`);
  return { seconds, peakMiB, stdout: Buffer.concat(out).toString(), code };
}

function peakOf(pid: number | undefined): number | null {
  try {
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
    return peak === null ? null : Number(peak[1]) / 1024;
  } catch {
    return null;
  }
}
