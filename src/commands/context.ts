import type { Settings } from '../config/settings.js';
import type { Logger } from '../logging/logger.js';
import type { Terminal } from '../console/terminal.js';
import type { OpenDatabase } from '../operations/opened.js';
import type { Io } from './io.js';

/** What every command gets in addition to its arguments. */
export interface CommandContext {
  io: Io;
  settings: Settings;
  configFile: string | undefined;
  databaseUrl: string | undefined;
  /** The arguments as the ledger keeps them, without secrets. */
  recorded: readonly string[];
  /**
   * Connects to --database-url or DATABASE_URL, or to `url`. The database starts no scope after a stop, its statements
   * are cancelled by the second signal, and it is closed when the command ends. @throws `database_url_missing`
   */
  openDatabase: OpenDatabase;
  logger: Logger;
  /** Logs to --log-file only: for what the terminal shows as a picture. */
  fileLogger: Logger;
  /** True if --log-level allows warnings and errors only: then there is no picture. */
  quiet: boolean;
  terminal: Terminal;
  /** True if stdout is one JSON document, printed by printAnswer. */
  json: boolean;
  /** Prints the answer under --json. Each command calls it once. */
  printAnswer(document: unknown): void;
  /**
   * Writes text of the answer. Under --json it goes to stderr, because stdout is for the document. Lines that are wider
   * than the terminal are broken, except with `verbatim`: for what a person copies.
   */
  write(text: string, options?: { verbatim?: boolean }): void;
  /** Aborts at the first SIGINT or SIGTERM: finish the current step, start no other, throw `interrupted`. */
  stop: AbortSignal;
  /** Aborts at the second signal: end at once. */
  stopNow: AbortSignal;
}
