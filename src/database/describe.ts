import { keyliftError, KeyliftError } from '../errors/keylift-error.js';
import { caretLines } from './place.js';
import { SQLSTATE, isDatabaseError, isMissingObject, isPermission, isRetryable, isTimeout } from './sqlstate.js';
import { placeOfFault, statementOf } from './statement.js';
import { transactionOf } from './transaction-name.js';

/**
 * Turns an error of the server into a KeyliftError: its message, the SQLSTATE, the transaction, the statement with a caret
 * under the fault, and the names of the objects. It holds no row values (a key violation's detail quotes the key). A
 * KeyliftError stays as it is. An error from elsewhere becomes the bug `unexpected`.
 */
export function describeDatabaseError(error: unknown): KeyliftError {
  if (error instanceof KeyliftError) return error;
  if (!isDatabaseError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return keyliftError('unexpected', { message, facts: { transaction: transactionOf(error) }, cause: error });
  }
  const message = messageWithoutValues(error);
  const details = { facts: factsOf(error), cause: withoutValues(error, message) };
  if (isPermission(error)) {
    return keyliftError('permission_denied', { message: `the database refused: ${message}`, ...details });
  }
  if (isMissingObject(error)) {
    return keyliftError('object_missing', { message: `the database lacks an object: ${message}`, ...details });
  }
  if (error.code === SQLSTATE.readOnlyTransaction) {
    return keyliftError('database_read_only', { message: `the database is read-only: ${message}`, ...details });
  }
  if (error.code === SQLSTATE.diskFull) {
    return keyliftError('disk_full', { message: `the disk of the database server is full: ${message}`, ...details });
  }
  if (isRetryable(error) || isTimeout(error) || error.code?.startsWith('53') === true) {
    return keyliftError('database_busy', { message: `the database is too busy: ${message}`, ...details });
  }
  return keyliftError('database_error', { message: `the database reported: ${message}`, ...details });
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
    transaction: transactionOf(error),
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

/** The text of RAISE is free, whatever its SQLSTATE; `where` begins with the name of the function. */
const isRaised = ({ routine }: ServerError): boolean => routine === 'exec_stmt_raise';
const raisedBy = ({ where }: ServerError): string | undefined => /^PL\/pgSQL \S+ (.+?\)) /.exec(where ?? '')?.[1];

/**
 * Data exceptions (class 22) quote the value, in the quotes of the server's language, and a function of the platform may
 * say anything: keylift replaces their text. Other exceptions of functions (P0) lose what they quote.
 */
function messageWithoutValues(error: ServerError & Error): string {
  const code = error.code ?? '';
  if (code.startsWith('22'))
    return `a value does not have the form that its type or a function requires (SQLSTATE ${code})`;
  if (isRaised(error) && raisedBy(error)?.startsWith('keylift.') !== true)
    return 'a function raised an exception; keylift withholds its text, which may quote a row';
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
