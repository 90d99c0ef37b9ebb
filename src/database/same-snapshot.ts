import type { Database } from './connect.js';
import { IDLE_TIMEOUT_MS } from './scopes.js';
import type { ReadSession } from './session.js';

/** Runs `fn` in a session with the snapshot of another one, while that one is busy with `meanwhile`. */
export type InSameSnapshot = <T>(fn: (session: ReadSession) => Promise<T>, meanwhile: Promise<unknown>) => Promise<T>;

/** Without a second session: in the same one, after the statements that it has been given. */
export const inOneSession =
  (session: ReadSession): InSameSnapshot =>
  (fn) =>
    fn(session);

/**
 * A second session in the snapshot of this one, which is READ ONLY, REPEATABLE READ. It saves time, and nothing depends
 * on it: when it is missing until the first session has done its part (a pooler with a single connection, a role without
 * another one, a snapshot on another server), `fn` runs in the first one.
 */
export async function openSameSnapshot(database: Database, session: ReadSession): Promise<InSameSnapshot> {
  const { snapshot } = await session.one<{ snapshot: string }>('SELECT pg_export_snapshot() AS snapshot');
  return async <T>(fn: (session: ReadSession) => Promise<T>, meanwhile: Promise<unknown>): Promise<T> => {
    const second = { begun: false, tooLate: false };
    let announce: () => void = () => undefined;
    const begun = new Promise<void>((resolve) => {
      announce = resolve;
    });
    const work = database.readOnly(
      async (other): Promise<{ answer: T } | undefined> => {
        if (second.tooLate) return undefined;
        second.begun = true;
        announce();
        return { answer: await fn(other) };
      },
      { isolation: 'repeatable read', snapshot, retry: 'none' },
    );
    const done = meanwhile.catch(() => undefined);
    await Promise.race([begun, work.catch(() => undefined), done]);
    if (!second.begun) {
      second.tooLate = true;
      work.catch(() => undefined);
      return fn(session);
    }
    await Promise.race([work.catch(() => undefined), done]);
    return (await keptAwake(session, work))!.answer;
  };
}

/** Waits for `work` with a session that has nothing to do, and keeps the server from ending it as idle. */
export async function keptAwake<T>(
  session: ReadSession,
  work: Promise<T>,
  { everyMs = IDLE_TIMEOUT_MS / 3 } = {},
): Promise<T> {
  const timer = setInterval(() => {
    session.query('SELECT').catch(() => undefined);
  }, everyMs);
  try {
    return await work;
  } finally {
    clearInterval(timer);
  }
}
