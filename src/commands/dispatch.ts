import { redactText, secretsIn } from '../config/redact.js';
import type { Database } from '../database/connect.js';
import type { ExitCode } from '../errors/exit-codes.js';
import { keyliftError } from '../errors/keylift-error.js';
import { columnsOf, fitted } from '../console/fitted.js';
import { forTerminalLines } from '../escaping.js';
import type { OnTransaction } from '../database/transaction-name.js';
import type { Log } from '../logging/log.js';
import type { Logger } from '../logging/logger.js';
import { noDatabase, openerOf } from '../operations/opener.js';
import { atWidth } from '../console/layout.js';
import type { Terminal } from '../console/terminal.js';
import { whenAborted } from '../timing.js';
import { Answers } from './answers.js';
import type { Call } from './command.js';
import type { CommandContext } from './context.js';
import type { CommandDefinition } from './definition.js';
import type { Io } from './io.js';
import { LogEnds } from './log-ends.js';
import { describeError } from './print-error.js';
import type { Globals } from './read-arguments.js';
import { listenForStop } from './signals.js';

export interface Task {
  definition: CommandDefinition;
  call: Call;
  io: Io;
}

/** Runs one command from configuration to exit code. Closes what it opened, and reports what it throws. */
export async function dispatch(task: Task): Promise<ExitCode> {
  const {
    call: { globals },
    io,
  } = task;
  const secrets = knownSecrets(globals, io.env);
  // Before anything is waited for: a signal that comes first is not to be lost.
  let said = (text: string): void => {
    io.stderr.write(text);
  };
  const signals = listenForStop({
    onSignal: io.onSignal.bind(io),
    say: (text) => {
      said(text);
    },
  });
  const { Terminal } = await import('../console/terminal.js');
  const painted = io.isTTY.stdout || io.isTTY.stderr ? await import('../console/region.js') : undefined;
  const terminal = new Terminal(io, { noColour: globals.noColor, regions: painted?.Region });
  said = (text) => {
    terminal.stderr.write(text);
  };
  const answers = new Answers(io.stdout);
  let log: Log | undefined;
  let ends: LogEnds | undefined;
  try {
    const { openLog } = await import('../logging/log.js');
    log = openLog({ stderr: terminal.stderr, level: globals.logLevel ?? 'info', file: globals.logFile, secrets });
    ends = new LogEnds(log.fileOnly, task.definition.name);
    const exitCode = await runCommand(task, { log, signals, terminal, answers });
    ends.ended(exitCode);
    return exitCode;
  } catch (thrown) {
    const error = signals.stopNow.aborted ? await afterStopNow(thrown) : thrown;
    const told = await describeError(error, { debug: globals.logLevel === 'debug', secrets, logFile: globals.logFile });
    terminal.stderr.write(told.text);
    if (globals.json) answers.printError(told.document);
    await ends?.failed(told);
    return told.exitCode;
  } finally {
    signals.close();
    await log?.close();
  }
}

interface Surroundings {
  log: Log;
  signals: ReturnType<typeof listenForStop>;
  terminal: Terminal;
  answers: Answers;
}

async function runCommand(
  { definition, call, io }: Task,
  { log, signals, terminal, answers }: Surroundings,
): Promise<ExitCode> {
  const { globals } = call;
  const { loadConfiguration, unreadConfiguration } = await import('../config/load.js');
  const read = definition.readsConfiguration === false ? unreadConfiguration : loadConfiguration;
  const configuration = await read({ flags: globals, env: io.env, cwd: io.cwd });
  if (definition.needsDatabase && configuration.databaseUrl === undefined) throw noDatabase();
  const databases: Database[] = [];
  const context: CommandContext = {
    io,
    ...configuration,
    recorded: call.recorded.map((text) => redactText(text, knownSecrets(globals, io.env))),
    ...outputs(io, globals, answers),
    logger: log.logger,
    fileLogger: log.fileOnly,
    quiet: ['warn', 'error'].includes(globals.logLevel ?? ''),
    terminal,
    stop: signals.stop,
    stopNow: signals.stopNow,
    openDatabase: openerOf({
      url: configuration.databaseUrl,
      stop: signals.stop,
      opened: databases,
      onTransaction: logTransaction(log.logger),
    }),
  };
  const endStop = whenAborted(signals.stopNow, () => {
    databases.forEach((database) => void database.cancelRunning());
  });
  try {
    return await atWidth(columnsOf(io, globals.json ? 'stderr' : 'stdout'), () => call.run(context));
  } finally {
    endStop();
    terminal.end();
    await Promise.all(databases.map((database) => database.close()));
  }
}

/** A statement that the second signal cancelled, and what follows from it, is no failure of the database. */
async function afterStopNow(error: unknown): Promise<unknown> {
  const { isTimeout } = await import('../database/sqlstate.js');
  if (!isTimeout(error) && (error as Error).name !== 'AbortError') return error;
  return keyliftError('interrupted', {
    message: 'the command was stopped at once; uncommitted work is rolled back',
    cause: error,
  });
}

const logTransaction =
  (logger: Logger): OnTransaction =>
  ({ name, committed, ms }) => {
    const end = committed ? 'committed' : 'rolled back';
    logger.debug('transaction', `${name}: ${end} after ${String(ms)} ms`, { transaction: name, ok: committed, ms });
  };

function outputs(io: Io, { json }: Globals, answers: Answers): Pick<CommandContext, 'json' | 'printAnswer' | 'write'> {
  return {
    json,
    write: (text, { verbatim = false } = {}) => {
      const stream = json ? 'stderr' : 'stdout';
      const safe = forTerminalLines(text);
      io[stream].write(verbatim ? safe : fitted(safe, columnsOf(io, stream)));
    },
    printAnswer: (document) => {
      if (!json) throw new Error('a document was answered without --json');
      answers.print(document);
    },
  };
}

function knownSecrets({ databaseUrl }: Globals, env: Io['env']): string[] {
  return [...secretsIn([databaseUrl ?? '', env.DATABASE_URL ?? '']), env.PGPASSWORD ?? ''];
}
