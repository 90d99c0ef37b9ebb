import type { Database } from './connect.js';
import type { ReadSession } from './session.js';

/**
 * The database of a command that the operator can stop: after the signal no scope begins, and a scope that only reads
 * sends no further statement. A transaction under way is finished. Scopes with `afterStop` begin all the same.
 */
export function withStop(database: Database, stop: AbortSignal): Database {
  return {
    ...database,
    withSession: async (fn, options) => {
      stop.throwIfAborted();
      return database.withSession(fn, options);
    },
    transaction: async (fn, options) => {
      if (options.afterStop !== true) stop.throwIfAborted();
      return database.transaction(fn, options);
    },
    readOnly: async (fn, options) => {
      if (options?.afterStop === true) return database.readOnly(fn, options);
      stop.throwIfAborted();
      return database.readOnly((session) => fn(untilStop(session, stop)), options);
    },
  };
}

/** Nothing is lost when a transaction that only reads ends between two of its statements. */
function untilStop(session: ReadSession, stop: AbortSignal): ReadSession {
  const checked =
    <Arguments extends unknown[], T>(ask: (...of: Arguments) => Promise<T>) =>
    async (...of: Arguments): Promise<T> => {
      stop.throwIfAborted();
      return ask(...of);
    };
  return { query: checked(session.query), one: checked(session.one), first: checked(session.first) } as ReadSession;
}
