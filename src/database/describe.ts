import { BugError, KeyliftError, RefusedError, UnreachableError, UsageError } from '../errors.js';
import { caretLines } from './place.js';
import { SQLSTATE, isDatabaseError, isMissingObject, isPermission, isRetryable, isTimeout } from './sqlstate.js';
import { placeOfFault, statementOf } from './statement.js';

/**
 * What to tell about an error of the server: a KeyliftError with the sentence, the SQLSTATE, the statement with a caret
 * under the place, and the names of the objects concerned, without row values (a key violation's detail quotes the
 * key). A KeyliftError passes through, and anything that did not come from the server becomes BugError `unexpected`.
 */
export function describeDatabaseError(error: unknown): KeyliftError {
  if (error instanceof KeyliftError) return error;
  if (!isDatabaseError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return new BugError('unexpected', message, { cause: error });
  }
  const message = messageWithoutValues(error);
  const details = { facts: factsOf(error), cause: withoutValues(error, message) };
  if (isPermission(error)) {
    return new RefusedError('permission_denied', `the database refused: ${message}`, {
      ...details,
      hint: 'Grant the role of the database URL what the message names.',
      anchor: 'database',
    });
  }
  if (isMissingObject(error)) {
    return new UsageError('object_missing', `the database has no such thing: ${message}`, {
      ...details,
      hint: 'Check the tables and columns in keylift.config.json against the database: keylift check names all that is missing. What is in the schema keylift is its own: restore what somebody dropped there.',
      anchor: 'mapping',
    });
  }
  if (error.code === SQLSTATE.readOnlyTransaction) {
    return new RefusedError('database_read_only', `the database takes no writes here: ${message}`, {
      ...details,
      hint: 'Connect to the primary, with a role that may write.',
      anchor: 'database',
    });
  }
  if (error.code === SQLSTATE.diskFull) {
    return new UnreachableError('disk_full', `the database has no room left: ${message}`, {
      ...details,
      hint: 'Make room on the server, then run the same command again: it goes on where it stopped.',
      anchor: 'disk-full',
    });
  }
  if (isRetryable(error) || isTimeout(error) || error.code?.startsWith('53') === true) {
    return new UnreachableError('database_busy', `the database gave up: ${message}`, {
      ...details,
      hint: 'Run the same command again when there is less load: it goes on where it stopped.',
      anchor: 'database',
    });
  }
  return new BugError('database_error', `the database reported: ${message}`, details);
}

type ServerError = Parameters<typeof factsOf>[0];

function factsOf(error: {
  code?: string | undefined;
  schema?: string | undefined;
  table?: string | undefined;
  column?: string | undefined;
  constraint?: string | undefined;
  routine?: string | undefined;
  where?: string | undefined;
}): Record<string, unknown> {
  const { code, schema, table, column, constraint } = error;
  const place = placeOfFault(error);
  const facts = {
    sqlstate: code,
    statement: statementOf(error)?.title,
    place: place === undefined ? undefined : caretLines(place),
    schema,
    table,
    column,
    constraint,
    function: isRaised(error) ? raisedBy(error) : undefined,
  };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

/** What a function says by RAISE, whatever code it gives it, is somebody's free text; `where` begins with its name. */
const isRaised = ({ routine }: ServerError): boolean => routine === 'exec_stmt_raise';
const raisedBy = ({ where }: ServerError): string | undefined => /^PL\/pgSQL \S+ (.+?\)) /.exec(where ?? '')?.[1];

/**
 * Data exceptions (class 22) quote the value itself, in the quotes of the server's language, and somebody else's function
 * may say anything: they get a sentence of ours. Other exceptions of functions (P0) lose what they quote.
 */
function messageWithoutValues(error: ServerError & Error): string {
  const code = error.code ?? '';
  if (code.startsWith('22'))
    return `a value does not have the form that its type or a function asks for (SQLSTATE ${code})`;
  if (isRaised(error) && raisedBy(error)?.startsWith('keylift.') !== true)
    return 'a function raised an exception; its words are not repeated, as they may quote a row';
  if (code.startsWith('P0')) return error.message.replace(/(["'«„“‘]).*?(["'»”’]|$)/gs, '$1…$2');
  return error.message;
}

/** The stack without the fields `detail`, `where`, `internalQuery`, which quote rows. */
function withoutValues(error: Error, message: string): Error {
  const copy = new Error(message);
  copy.name = error.name;
  copy.stack = (error.stack ?? '').split(error.message).join(message);
  return copy;
}
