#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import v8 from 'node:v8';
import { Answers } from './commands/answers.js';
import type { Call } from './commands/command.js';
import { RUNNABLE } from './commands/commands.js';
import { GROUPS } from './commands/definitions/all.js';
import { dispatch } from './commands/dispatch.js';
import type { Io } from './commands/io.js';
import { overview } from './commands/overview.js';
import { parseInvocation } from './commands/parse.js';
import { describeError } from './commands/print-error.js';
import { version } from './config/package-root.js';
import { secretsIn } from './config/redact.js';
import { columnsOf, fitted } from './console/fitted.js';
import { EXIT, type ExitCode } from './errors/exit-codes.js';

/**
 * The whole program in one call: reads the command line (without node and script), runs the command and returns its
 * exit code. Tests wrap the command with `around`.
 */
export async function main(
  argv: readonly string[],
  io: Io,
  { around = (call) => call }: { around?: (call: Call) => Call } = {},
): Promise<ExitCode> {
  const world = {
    cwd: io.cwd,
    version: version(),
    commands: RUNNABLE,
    overview: overview(GROUPS),
    columns: columnsOf(io, 'stdout'),
  };
  if (argv.length === 0 && io.isTTY.stderr) io.stderr.write(fitted(`${world.overview}\n`, columnsOf(io, 'stderr')));
  try {
    const invocation = parseInvocation(argv, world);
    if (invocation.kind === 'text') {
      io.stdout.write(invocation.text);
      return EXIT.done;
    }
    return await dispatch({ definition: invocation.definition, call: around(invocation.call), io });
  } catch (error) {
    const { text, document, exitCode } = await describeError(error, {
      debug: false,
      secrets: secretsIn([...argv, io.env.DATABASE_URL ?? '']),
    });
    io.stderr.write(fitted(text, columnsOf(io, 'stderr')));
    if (argv.includes('--json')) new Answers(io.stdout).printError(document);
    return exitCode;
  }
}

const LEAVE_WITHIN_MS = 3_000;

/** The second signal waits for nobody, not even for a server that does not answer: what still hangs then is ended. */
function onSignal(listener: (signal: NodeJS.Signals) => void): () => void {
  const signals = ['SIGINT', 'SIGTERM'] as const;
  let heard = 0;
  const hear = (signal: NodeJS.Signals): void => {
    heard += 1;
    if (heard === 2) setTimeout(() => process.exit(EXIT.interrupted), LEAVE_WITHIN_MS).unref();
    listener(signal);
  };
  signals.forEach((signal) => process.on(signal, hear));
  return () => {
    signals.forEach((signal) => process.off(signal, hear));
  };
}

function processIo(): Io {
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd: process.cwd(),
    // undefined, not false, for a pipe
    isTTY: {
      stdin: Boolean(process.stdin.isTTY),
      stdout: Boolean(process.stdout.isTTY),
      stderr: Boolean(process.stderr.isTTY),
    },
    onSignal,
  };
}

/** Node's own report of a crash prints an error's fields, and a server error's fields quote rows. */
async function reportCrash(error: unknown): Promise<void> {
  process.exitCode = EXIT.bug;
  const { text } = await describeError(error, {
    debug: process.argv.includes('debug'),
    secrets: secretsIn([...process.argv, process.env.DATABASE_URL ?? '']),
  });
  process.stderr.write(text);
  // Two signals: stop, and at once. What still hangs then is ended; nothing unfinished is ever committed.
  process.emit('SIGTERM', 'SIGTERM');
  process.emit('SIGTERM', 'SIGTERM');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 5000).unref();
}

async function runAsProgram(): Promise<void> {
  const argv = process.argv.slice(2);
  // Commands drop much and keep little: heaps left to grow would hold 50 MiB of garbage.
  for (const flag of ['--semi-space-growth-factor=1', '--optimize-for-size']) v8.setFlagsFromString(flag);
  process.title = 'keylift'; // ps would show a --database-url
  // pg asks for this, and where nobody says, as before Node 21, it loads an HTTP client to find out: 15 ms of each
  // command.
  (globalThis as { navigator?: unknown }).navigator ??= { userAgent: `Node.js/${process.versions.node}` };
  // `keylift plan | head` closes the pipe early; that is the reader's right and no error.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('uncaughtException', (error) => void reportCrash(error));
  const exitCode = await main(argv, processIo());
  process.exitCode ??= exitCode;
}

function isProgram(script: string | undefined): boolean {
  // npm's bin is a symbolic link to this file.
  return script !== undefined && realpathSync(script) === realpathSync(fileURLToPath(import.meta.url));
}

if (isProgram(process.argv[1])) await runAsProgram();
