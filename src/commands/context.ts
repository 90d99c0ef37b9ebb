import type { Settings } from '../config/settings.js';
import type { Database, OpenOptions } from '../database/connect.js';
import type { Logger } from '../logging/logger.js';
import type { Terminal } from '../console/terminal.js';
import type { Io } from './io.js';

/** What every command's `run` gets beside its own arguments. */
export interface CommandContext {
  io: Io;
  settings: Settings;
  configFile: string | undefined;
  databaseUrl: string | undefined;
  /**
   * The database of --database-url or DATABASE_URL, or that of `url`. It begins no scope after a stop; the second signal
   * cancels its statements; it is closed when the command has ended. Throws `database_url_missing` without a URL.
   */
  openDatabase(options?: OpenOptions & { url?: string }): Promise<Database>;
  logger: Logger;
  /** For --log-file alone: what the terminal shows as a picture. */
  fileLogger: Logger;
  /** --log-level asks for warnings at most: no picture either. */
  quiet: boolean;
  terminal: Terminal;
  /** stdout is one JSON document, printed by printAnswer. */
  json: boolean;
  /** The answer under --json: once, as one document. */
  printAnswer(document: unknown): void;
  /** Text of the answer; with --json it goes to stderr, because stdout is the document's alone. */
  write(text: string): void;
  /** Aborts at the first SIGINT or SIGTERM: finish what is begun, begin nothing, throw `interrupted`. */
  stop: AbortSignal;
  /** Aborts at the second one: leave at once. */
  stopNow: AbortSignal;
}
