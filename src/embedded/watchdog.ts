import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { keyliftError } from '../errors/keylift-error.js';
import type { RunAs } from './run-as.js';
import { succeedsAs } from './run-as.js';
import { WATCHDOG_PROGRAM } from './watchdog-program.js';

/** How long a server may take over a fast shutdown, and then over an immediate one. */
const GRACE_MS = 5_000;

export interface Order {
  file: string;
  args: string[];
  cwd: string;
  /** The file that takes what the program prints. */
  log: string;
  runAs: RunAs | undefined;
}

export interface Exit {
  code?: number | null;
  signal?: string | null;
  /** The system's code when the program could not be started at all, or `watchdog_lost`. */
  error?: string;
}

/** A program that the watchdog runs. */
export interface Running {
  pid: number | undefined;
  exit: Promise<Exit>;
  /** Set once it has ended. */
  ended?: Exit;
}

interface Event {
  pid?: number;
  exit?: Exit;
}

/** Our end of the watchdog process, which runs one program at a time and ends it when we end, kill -9 included. */
export class Watchdog {
  readonly #process: ChildProcess;
  readonly #gone: Promise<number | null>;
  #busy = 0;
  #onEvent: ((event: Event) => void) | undefined;

  /** @param removeAtEnd the directory that goes when the watchdog ends; without it, everything stays */
  constructor(removeAtEnd: string | undefined) {
    this.#process = spawn(process.execPath, ['-e', WATCHDOG_PROGRAM, removeAtEnd ?? '', String(GRACE_MS)], {
      cwd: '/',
      detached: true, // Ctrl-C reaches every process of the terminal's group, and must not reach this one
      stdio: ['pipe', 'pipe', 'ignore'],
      env: cleanEnvironment(),
    });
    this.#gone = new Promise((resolve) => {
      this.#process.once('error', () => {
        resolve(null);
      });
      this.#process.once('exit', (code) => {
        resolve(code);
      });
    });
    void this.#gone.then(() => this.#onEvent?.({ exit: { error: 'watchdog_lost' } }));
    this.#process.stdin!.on('error', () => undefined); // a lost watchdog is told by its exit
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#onEvent?.(JSON.parse(line) as Event));
    this.#rest();
  }

  /** Runs a program and resolves once it has a pid, or has failed to get one. One at a time. */
  async run({ runAs, ...order }: Order): Promise<Running> {
    return new Promise((resolve) => {
      let finish: (exit: Exit) => void;
      const running: Running = {
        pid: undefined,
        exit: new Promise((done) => {
          finish = done;
        }),
      };
      this.#onEvent = ({ pid, exit }) => {
        if (pid !== undefined) running.pid = pid;
        if (exit !== undefined && running.ended === undefined) finish((running.ended = exit));
        resolve(running);
      };
      this.#send({ run: { ...withDeathSignal(order), ...runAs, env: cleanEnvironment() } });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#send({ signal });
  }

  /** Stops what runs, removes the directory, and resolves when all of it is done. */
  async end(): Promise<void> {
    this.#process.stdin!.end();
    const code = await this.working(() => this.#gone);
    if (code === 0) return;
    throw keyliftError('embedded_stop_failed', {
      message: 'the embedded PostgreSQL did not stop cleanly',
      facts: { code },
    });
  }

  /** Keeps our process alive while the watchdog works for it; at rest, a server nobody stopped keeps no program from ending. */
  async working<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy++ === 0) for (const handle of this.#handles()) handle.ref();
    try {
      return await work();
    } finally {
      if (--this.#busy === 0) this.#rest();
    }
  }

  #rest(): void {
    for (const handle of this.#handles()) handle.unref();
  }

  #handles(): { ref(): unknown; unref(): unknown }[] {
    return [this.#process, this.#process.stdin as Socket, this.#process.stdout as Socket];
  }

  #send(order: object): void {
    this.#process.stdin!.write(`${JSON.stringify(order)}\n`);
  }
}

/** Neither our PG* variables nor our NODE_OPTIONS are meant for these processes, and messages are to be in English. */
function cleanEnvironment(): Record<string, string> {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'TMPDIR', 'TEMP', 'SystemRoot'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' };
}

let deathSignal: boolean | undefined;

/** Where Linux offers it, the kernel stops the program should somebody kill the watchdog itself. */
function withDeathSignal<T extends { file: string; args: string[] }>(order: T): T {
  deathSignal ??= process.platform === 'linux' && succeedsAs(undefined, 'setpriv', ['--pdeathsig', 'INT', 'true']);
  if (!deathSignal) return order;
  return { ...order, file: 'setpriv', args: ['--pdeathsig', 'INT', '--', order.file, ...order.args] };
}
