import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { keyliftError } from '../errors/keylift-error.js';
import type { RunAs } from './run-as.js';
import { succeedsAs } from './run-as.js';
import { WATCHDOG_PROGRAM } from './watchdog-program.js';

/** The time for a fast shutdown, and then for an immediate one. */
const GRACE_MS = 5_000;

export interface Order {
  file: string;
  args: string[];
  cwd: string;
  /** The file for the output of the program. */
  log: string;
  runAs: RunAs | undefined;
}

export interface Exit {
  code?: number | null;
  signal?: string | null;
  /** The system's code when the program could not be started, or `watchdog_lost`. */
  error?: string;
}

/** A program that the watchdog runs. */
export interface Running {
  pid: number | undefined;
  exit: Promise<Exit>;
  /** Set when it has ended. */
  ended?: Exit;
}

interface Event {
  pid?: number;
  exit?: Exit;
}

/**
 * Controls the watchdog process, which runs one program at a time and ends it when this process ends, also by SIGKILL.
 */
export class Watchdog {
  readonly #process: ChildProcess;
  readonly #gone: Promise<number | null>;
  #busy = 0;
  #onEvent: ((event: Event) => void) | undefined;

  /** @param removeAtEnd the directory that the watchdog removes when it ends */
  constructor(removeAtEnd: string | undefined) {
    this.#process = spawn(process.execPath, ['-e', WATCHDOG_PROGRAM, removeAtEnd ?? '', String(GRACE_MS)], {
      cwd: '/',
      detached: true, // Ctrl-C signals every process of the terminal's group, and must not signal this one
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
    this.#process.stdin!.on('error', () => undefined); // its exit reports a lost watchdog
    createInterface({ input: this.#process.stdout! }).on('line', (line) => this.#onEvent?.(JSON.parse(line) as Event));
    this.#rest();
  }

  /** Starts a program and resolves when it has a pid or has failed to start. */
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

  /** Stops the program, removes the directory, and resolves when both is done. */
  async end(): Promise<void> {
    this.#process.stdin!.end();
    const code = await this.working(() => this.#gone);
    if (code === 0) return;
    throw keyliftError('embedded_stop_failed', {
      message: 'the embedded PostgreSQL did not stop cleanly',
      facts: { code },
    });
  }

  /** Keeps this process alive while the watchdog works. At other times a running server does not prevent its end. */
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

/** Without PG* variables and NODE_OPTIONS, which are not for these processes, and with messages in English. */
function cleanEnvironment(): Record<string, string> {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'TMPDIR', 'TEMP', 'SystemRoot'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' };
}

let deathSignal: boolean | undefined;

/** On Linux the kernel stops the program when the watchdog itself is killed. */
function withDeathSignal<T extends { file: string; args: string[] }>(order: T): T {
  deathSignal ??= process.platform === 'linux' && succeedsAs(undefined, 'setpriv', ['--pdeathsig', 'INT', 'true']);
  if (!deathSignal) return order;
  return { ...order, file: 'setpriv', args: ['--pdeathsig', 'INT', '--', order.file, ...order.args] };
}
