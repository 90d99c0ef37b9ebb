import { vacuumInTheWay, waitFor } from './autovacuum.js';
import type { Database } from './connect.js';
import { POLICIES, retry, type RetryPolicy } from './retry.js';
import type { WriteOptions } from './scopes.js';
import { sqlStateOf } from './sqlstate.js';
import type { Wait } from './waiting.js';

export type ScopePolicy = 'transaction' | 'underLoad';

export interface ScopeRetryOptions {
  stop: AbortSignal;
  /** Called before each further try, and with null when the last one has ended. */
  onWait?: (wait: Wait | null, policy: ScopePolicy) => void;
}

type Limits = Pick<WriteOptions, 'lockTimeoutMs' | 'retry' | 'wholeTable'>;

/**
 * The database with scopes that are tried again under their policy, also when the COMMIT fails. The function of a scope
 * must be safe to call again; one that consumes a file or a request takes the policy `none`.
 *
 * @throws from its scopes: the last error, when no try succeeded
 */
export function withRetry(database: Database, { stop, onWait }: ScopeRetryOptions): Database {
  const retried = async <T>(
    { retry: policy = 'transaction', wholeTable = false }: Limits,
    scope: (limits: Limits, attempt: number) => Promise<T>,
  ): Promise<T> => {
    if (policy === 'none') return scope({}, 1);
    const { lockTimeoutMs }: RetryPolicy = POLICIES[policy];
    const limits: Limits = lockTimeoutMs === undefined ? {} : { lockTimeoutMs };
    let waited = false;
    const onRetry = async (error: unknown): Promise<void> => {
      const vacuum = wholeTable ? await database.readOnly((session) => vacuumInTheWay(session, [])) : null;
      if (lockTimeoutMs !== undefined) limits.lockTimeoutMs = Math.max(lockTimeoutMs, vacuum?.outlastMs ?? 0);
      waited = true;
      onWait?.(vacuum === null ? waitForSession(error) : waitFor(vacuum), policy);
    };
    try {
      return await retry((attempt) => scope(limits, attempt), { policy, stop, onRetry });
    } finally {
      if (waited) onWait?.(null, policy);
    }
  };
  return {
    ...database,
    transaction: (fn, options) =>
      retried(options, (limits, attempt) =>
        database.transaction((session) => fn(session, attempt), { ...limits, ...options }),
      ),
    readOnly: (fn, options = {}) => retried(options, (limits) => database.readOnly(fn, { ...limits, ...options })),
  };
}

const waitForSession = (error: unknown): Wait => ({
  kind: 'lock',
  text: 'a session that changed keys has not committed yet',
  sqlstate: sqlStateOf(error),
});
