import type { ExitCode } from '../errors/exit-codes.js';
import type { Logger } from '../logging/logger.js';
import type { ErrorText } from './print-error.js';

/** Logs the start and the end of a command to the log file only. */
export class LogEnds {
  private readonly began: number;

  constructor(
    private readonly log: Logger,
    command: string,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.began = now();
    log.info('command', `keylift ${command}`, { command });
  }

  ended(exitCode: ExitCode): void {
    this.log.info('ended', `exit ${String(exitCode)}`, { exit_code: exitCode, ms: this.ms() });
  }

  async failed({ error, logged }: ErrorText): Promise<void> {
    const sqlstate = await sqlStateIn(error);
    this.log.error('failed', error.message, {
      ...logged,
      ms: this.ms(),
      ...(sqlstate === undefined ? {} : { sqlstate }),
    });
  }

  private ms(): number {
    return Math.round(this.now() - this.began);
  }
}

/** The SQLSTATE of the first server error in the chain of causes. */
async function sqlStateIn(error: unknown): Promise<string | undefined> {
  const { sqlStateOf } = await import('../database/sqlstate.js');
  for (let at = error; at instanceof Error; at = at.cause) {
    const state = sqlStateOf(at);
    if (state !== undefined) return state;
  }
  return undefined;
}
