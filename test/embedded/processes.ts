import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');

export interface Program {
  process: ChildProcess;
  /** The next line it prints. */
  line(): Promise<string>;
  exited: Promise<unknown>;
}

export interface Started {
  pid: number;
  port: number;
  dataDirectory: string;
}

/** Starts program.ts in a process group of its own, as a shell starts a foreground job. */
export function startProgram(ending: 'exit' | 'throw' | 'wait' | 'return', cwd = process.cwd()): Program {
  const child = spawn(process.execPath, ['--import', TSX, PROGRAM, ending], {
    cwd,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    line: async () => String((await lines.next()).value),
    exited: new Promise((resolve) =>
      child.once('exit', (code, signal) => {
        resolve(signal ?? code);
      }),
    ),
  };
}

/** Reads the program's lines up to where it has a server. */
export async function started(program: Program): Promise<Started> {
  await program.line();
  return JSON.parse(await program.line()) as Started;
}

/** Polls until the condition holds, and fails once the deadline has passed. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Still waiting after 30 s: ${what}`);
    await delay(20);
  }
}

/** The server's processes have ended and nothing of it is left on disk. */
export async function leavesNothing({ pid, dataDirectory }: Pick<Started, 'pid' | 'dataDirectory'>): Promise<void> {
  await eventually(`process ${pid} to end`, () => !isAlive(pid));
  await eventually(`${dataDirectory} to go`, () => !existsSync(dataDirectory));
}

/** A zombie has ended: in a container, nobody may be there to wait for it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
