import type pg from 'pg';
import { isDatabaseError } from './sqlstate.js';

/**
 * The server would log an error of keylift (a failed constraint, a value that cannot be cast) with the row and its token.
 * keylift reports such an error itself, without values. The server still logs statements, waits for locks and fatal
 * errors. The setting needs a superuser, or a role with SET on the parameter; a refusal inside the block is not logged.
 * A pooler would give the setting to other sessions, so it is not made there: another process answers than was reached.
 */
const stopLoggingErrors = (processId: number): string => `
  DO $do$ BEGIN
    IF pg_backend_pid() = ${String(processId)} THEN PERFORM set_config('log_min_messages', 'log', false); END IF;
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END $do$`;

/** Is called for each new connection, before any other statement. `timeoutMs` limits the wait for the answer. */
export async function suppressRowLogging(
  client: pg.ClientBase,
  { timeoutMs }: { timeoutMs?: number } = {},
): Promise<void> {
  const { processID } = client as pg.ClientBase & { processID: number | null };
  try {
    await client.query({
      text: stopLoggingErrors(processID ?? 0),
      ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
    });
  } catch (error) {
    // A server that refuses the setting logs as before; a lost connection is an error.
    if (!isDatabaseError(error)) throw error;
  }
}
