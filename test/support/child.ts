import { spawn, type ChildProcess } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const TSX = import.meta.resolve('tsx');

/** The program as an operator starts it: a process of its own, to be signalled and killed. */
export interface Child {
  process: ChildProcess;
  /** The exit code, or the signal that ended it. */
  exited: Promise<number | NodeJS.Signals>;
  output(): { stdout: string; stderr: string };
}

export function startChild(line: string, { url, env }: { url: string; env?: Record<string, string> }): Child {
  const child = spawn(process.execPath, ['--import', TSX, CLI, ...line.split(' ')], {
    cwd: path.dirname(CLI),
    env: { ...process.env, ...env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (chunk: Buffer) => {
      said[name] += chunk.toString();
    });
  return {
    process: child,
    exited: new Promise((resolve) =>
      child.once('close', (code, signal) => {
        resolve(signal ?? code ?? -1);
      }),
    ),
    output: () => ({ ...said }),
  };
}
