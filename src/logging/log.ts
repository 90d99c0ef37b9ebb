import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import type winston from 'winston';
import { redactValue } from '../config/redact.js';
import { forJson, forTerminal } from '../escaping.js';
import { openToAppend } from '../files/append.js';
import type { LogEvent, LogFields } from './events.js';
import { LOG_LEVELS, type Logger, type LogLevel } from './logger.js';

export interface LogOptions {
  stderr: NodeJS.WritableStream;
  level?: LogLevel;
  /** JSON lines are appended to this file. Only its owner may read it (mode 0600), even if it existed before. */
  file?: string | undefined;
  /** Texts that are masked in every line. */
  secrets?: readonly string[];
  now?: () => Date;
}

export interface Log {
  logger: Logger;
  /** Writes to the file only: for what the terminal shows in another form. */
  fileOnly: Logger;
  /** Resolves when the file is complete. */
  close(): Promise<void>;
}

interface Entry {
  level: string;
  event: LogEvent;
  message: string;
  fields: LogFields;
  time: string;
  fileOnly: boolean;
}

/** Loaded at the first line, so that a command without log lines does not wait for it. */
const loadWinston = (): typeof winston => createRequire(import.meta.url)('winston') as typeof winston;

/** Opens the log: lines for people on stderr and, with a file, JSON lines. @throws `log_file_unwritable` */
export function openLog({ stderr, level = 'info', file, secrets = [], now = () => new Date() }: LogOptions): Log {
  const stream = file === undefined ? undefined : openFile(file, stderr);
  let log: winston.Logger | undefined;
  const begin = (): winston.Logger => {
    const {
      createLogger,
      format,
      transports: { Stream },
    } = loadWinston();
    const lines = linesOf(format);
    return createLogger({
      level,
      format: format((info) => masked(info, secrets))(),
      transports: [
        new Stream({ stream: stderr, format: lines(humanLine) }),
        ...(stream === undefined ? [] : [new Stream({ stream, format: lines(jsonLine) })]),
      ],
    });
  };
  const carried: LogFields = {};
  const write =
    (entryLevel: LogLevel, fileOnly: boolean) =>
    (event: LogEvent, message: string, fields: LogFields = {}) => {
      if ((fileOnly && stream === undefined) || LOG_LEVELS.indexOf(entryLevel) > LOG_LEVELS.indexOf(level)) return;
      log ??= begin();
      // The fields have a key of their own, because winston interprets some names.
      log.log({
        level: entryLevel,
        event,
        message,
        fields: { ...carried, ...fields },
        fileOnly,
        time: now().toISOString(),
      });
    };
  const loggerOf = (fileOnly: boolean): Logger => ({
    ...(Object.fromEntries(LOG_LEVELS.map((name) => [name, write(name, fileOnly)])) as Pick<Logger, LogLevel>),
    carry: (fields) => {
      Object.assign(carried, fields);
    },
  });
  return { logger: loggerOf(false), fileOnly: loggerOf(true), close: () => close(log, stream) };
}

function openFile(file: string, stderr: NodeJS.WritableStream): WriteStream {
  const output = { file, what: 'the log file', code: 'log_file_unwritable' } as const;
  const descriptor = openToAppend(output, (reason) => stderr.write(`warning: the log file ${file}: ${reason}\n`));
  const stream = createWriteStream(file, { fd: descriptor });
  // A full disk must not end the migration.
  stream.once('error', (error) => stderr.write(`the log file ${file} cannot be written any more: ${error.message}\n`));
  stream.on('error', () => undefined);
  return stream;
}

async function close(log: winston.Logger | undefined, stream: WriteStream | undefined): Promise<void> {
  if (log !== undefined) {
    const drained = once(log, 'finish');
    log.end();
    await drained;
  }
  if (stream === undefined || stream.destroyed) return;
  const ended = once(stream, 'close');
  stream.end();
  await ended;
}

const linesOf =
  (format: typeof winston.format) =>
  (render: (entry: Entry) => string | false): winston.Logform.Format =>
    format((info) => {
      const line = render(info as unknown as Entry);
      return line === false ? false : Object.assign(info, { [Symbol.for('message')]: line });
    })();

function humanLine({ time, level, message, fileOnly }: Entry): string | false {
  if (fileOnly) return false;
  const label = level === 'warn' ? 'warning: ' : level === 'error' ? 'error: ' : '';
  return forTerminal(`${time.slice(11, 19)} ${label}${message}`);
}

/** Without the indentation of the message, which is for people. */
function jsonLine({ time, level, event, message, fields }: Entry): string {
  return forJson({ time, level, event, message: message.trim(), ...fields });
}

function masked(
  info: winston.Logform.TransformableInfo,
  secrets: readonly string[],
): winston.Logform.TransformableInfo {
  info.message = redactValue(info.message, secrets);
  info.fields = redactValue(info.fields, secrets);
  return info;
}
