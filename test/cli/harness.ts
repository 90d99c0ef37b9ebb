import os from 'node:os';
import { PassThrough } from 'node:stream';
import { main } from '../../src/cli.js';
import type { CommandContext } from '../../src/commands/context.js';
import type { Io } from '../../src/commands/io.js';
import type { ExitCode } from '../../src/errors/exit-codes.js';

export interface Outcome {
  exitCode: ExitCode;
  stdout: string;
  stderr: string;
}

export interface Call {
  env?: Record<string, string>;
  cwd?: string;
  stdin?: string;
  isTTY?: Io['isTTY'];
  /** Runs in the place of the command's own `run`, and may call it. */
  run?: (context: CommandContext, call: RunCall) => Promise<ExitCode>;
}

export interface RunCall {
  args: object;
  /** The command's own `run`. */
  run: (context: CommandContext) => Promise<ExitCode>;
  /** Sends a signal to the program. */
  send: (signal: NodeJS.Signals) => void;
}

export const NO_TTY = { stdin: false, stdout: false, stderr: false };

/** Runs the whole program in this process, its streams captured. */
export async function keylift(line: string | readonly string[], call: Call = {}): Promise<Outcome> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const listeners = new Set<(signal: NodeJS.Signals) => void>();
  const stdin = new PassThrough();
  if (call.stdin !== undefined) stdin.end(call.stdin);
  const io: Io = {
    stdout,
    stderr,
    stdin,
    cwd: call.cwd ?? os.tmpdir(),
    env: call.env ?? {},
    isTTY: call.isTTY ?? NO_TTY,
    onSignal: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const send = (signal: NodeJS.Signals) => {
    listeners.forEach((listener) => {
      listener(signal);
    });
  };
  const { run } = call;
  const argv = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
  const exitCode = await main(
    argv,
    io,
    run === undefined ? {} : { around: (call) => ({ ...call, run: (context) => run(context, { ...call, send }) }) },
  );
  const text = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? '';
  return { exitCode, stdout: text(stdout), stderr: text(stderr) };
}
