import { redactText, redactValue } from '../config/redact.js';
import { isDatabaseError } from '../database/sqlstate.js';
import { describeDatabaseError } from '../database/describe.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { runOf } from '../errors/run-of.js';
import { knownError } from '../operations/known-error.js';

/**
 * Any thrown value as the error that a function of the package rejects with. Neither it nor its cause holds a secret or
 * a value of a row, since callers log errors whole.
 */
export async function rejectionOf(thrown: unknown, secrets: readonly string[]): Promise<KeyliftError> {
  const known = await knownError(thrown);
  const { section } = known;
  const run = runOf(thrown);
  const error = keyliftError(known.code, {
    message: redactText(known.message, secrets),
    facts: redactValue({ ...known.facts, ...(run !== undefined && { run_id: run }) }, secrets) as KeyliftError['facts'],
    hint: redactText(known.hint, secrets),
    section,
    cause: causeOf(known.cause, secrets),
  });
  error.stack = redactText(known.stack ?? '', secrets);
  return error;
}

/** A copy without the fields of an error: those of a server quote rows, and that of a faulty URL is the URL. */
function causeOf(cause: unknown, secrets: readonly string[]): unknown {
  if (!(cause instanceof Error)) return undefined;
  const { message } = isDatabaseError(cause) ? describeDatabaseError(cause) : cause;
  const copy = new Error(redactText(message, secrets));
  copy.name = cause.name;
  copy.stack = redactText((cause.stack ?? '').split(cause.message).join(message), secrets);
  return copy;
}
