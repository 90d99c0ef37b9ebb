import { spawn, type ChildProcess } from 'node:child_process';
import type { Compiled } from './compile.js';

/** The process stands at the failpoint and waits for a word. */
export interface Met {
  /** The local port of the connection that is about to send or has just been answered, where there is one. */
  port?: number;
  /** The server process of that connection. */
  backend?: number;
}

interface Message extends Met {
  failpoint: string;
  here: boolean;
}

/** A keylift process with failpoints around it. */
export interface Victim {
  process: ChildProcess;
  /** Rejects when the process ended without coming to its failpoint. */
  met: Promise<Met>;
  /** Lets it go on from its failpoint. */
  release(): void;
  exited: Promise<number | NodeJS.Signals>;
  /** How often it came by each failpoint. */
  passed: ReadonlyMap<string, number>;
  output(): string;
}

/** Starts keylift; without a failpoint it runs to its end and only tells what it came by. */
export function startVictim(
  { program }: Compiled,
  {
    words,
    url,
    failpoint = '',
    time = 1,
  }: { words: readonly string[]; url: string; failpoint?: string; time?: number },
): Victim {
  const child = spawn(process.execPath, [program, failpoint, String(time), ...words], {
    env: { ...process.env, DATABASE_URL: url },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const passed = new Map<string, number>();
  const exited = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('close', (code, signal) => {
      resolve(signal ?? code ?? -1);
    }),
  );
  const met = new Promise<Met>((resolve, reject) => {
    child.on('message', (message: Message) => {
      passed.set(message.failpoint, (passed.get(message.failpoint) ?? 0) + 1);
      if (message.here) resolve(message);
    });
    void exited.then((end) => {
      reject(
        new Error(`keylift ${words.join(' ')} ended with ${String(end)} before it came to "${failpoint}":\n${said}`),
      );
    });
  });
  met.catch(() => undefined); // whoever does not wait for it need not hear of it
  return {
    process: child,
    met,
    release: () => {
      child.send('go on');
    },
    exited,
    passed,
    output: () => said,
  };
}
