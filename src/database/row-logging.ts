import type pg from 'pg';
import { isDatabaseError } from './sqlstate.js';

/**
 * Keeps the server's log from quoting rows: an error of ours (a failed constraint, a value that cannot be cast) would
 * stand there with the row and its token; keylift tells it itself, without values. Statements, waits for locks and fatal
 * errors are logged as ever. It takes a right that a superuser has, or whoever was granted SET on the parameter; a refusal
 * inside the block is logged nowhere. Behind a pooler, which gives a session's settings to others, it does nothing: the
 * process we reached is not the one that answers.
 */
const keepQuiet = (processId: number): string => `
  DO $do$ BEGIN
    IF pg_backend_pid() = ${String(processId)} THEN PERFORM set_config('log_min_messages', 'log', false); END IF;
  EXCEPTION WHEN insufficient_privilege THEN NULL;
  END $do$`;

/** For each new connection, before anything else is asked on it. `timeoutMs` bounds the wait for the answer. */
export async function suppressRowLogging(
  client: pg.ClientBase,
  { timeoutMs }: { timeoutMs?: number } = {},
): Promise<void> {
  const { processID } = client as pg.ClientBase & { processID: number | null };
  try {
    await client.query({
      text: keepQuiet(processID ?? 0),
      ...(timeoutMs === undefined ? {} : { query_timeout: timeoutMs }),
    });
  } catch (error) {
    // A server that forbids even this goes on logging; a line that is broken is told.
    if (!isDatabaseError(error)) throw error;
  }
}
