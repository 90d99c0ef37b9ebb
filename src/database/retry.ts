import { hasCode } from '../errors/keylift-error.js';
import { pause } from '../timing.js';
import { isLoss } from './failures.js';
import { SQLSTATE, sqlStateOf } from './sqlstate.js';

/** Which failures are worth another try, how many tries there are, and how long the pauses between them take. */
export interface RetryPolicy {
  /** SQLSTATEs that another try can cure. */
  states?: readonly string[];
  /** The same for failures that do not come from the server. */
  when?: (error: unknown) => boolean;
  /** Tries at most, the first one included. */
  tries: number;
  /** The first pause in milliseconds. Each further pause is twice as long, up to `maxMs`. */
  firstMs: number;
  maxMs: number;
  /** How long each try waits for a lock, in milliseconds, where the policy limits it. */
  lockTimeoutMs?: number;
}

/** Another session was in the way. */
const COLLISIONS = [SQLSTATE.serializationFailure, SQLSTATE.deadlock, SQLSTATE.lockNotAvailable] as const;

/**
 * A lock of a row or a table is waited for half as long as the deadlock detector waits (1 s): when keylift and the
 * platform block each other, keylift gives way before PostgreSQL chooses a victim.
 */
const GIVE_WAY_MS = 500;

/** Every retry in keylift follows one of these policies. */
export const POLICIES = {
  /** A transaction over keylift's own rows. Longer than three seconds is a session that keeps its lock on purpose. */
  transaction: { states: COLLISIONS, tries: 5, firstMs: 100, maxMs: 2_000 },
  /** A transaction over rows that the platform changes at the same time. The platform always goes first. */
  underLoad: { states: COLLISIONS, tries: Infinity, firstMs: 100, maxMs: 2_000, lockTimeoutMs: GIVE_WAY_MS },
  /** A step of DDL: while it waits for a lock, every later session waits behind it. */
  ddlLock: { states: COLLISIONS, tries: 60, firstMs: 100, maxMs: 5_000, lockTimeoutMs: GIVE_WAY_MS },
  /** A lost connection. All pauses together take 20 s, about as long as a lease lasts without a heartbeat. */
  connection: { when: isLoss, tries: 9, firstMs: 200, maxMs: 5_000 },
  /** A batch that met a lock: the next try may claim other ranges. */
  batch: { states: COLLISIONS, tries: Infinity, firstMs: 500, maxMs: 500, lockTimeoutMs: GIVE_WAY_MS },
  /** A range whose batch took too long. The next try takes less; the ledger counts the tries of a range. */
  range: { states: [SQLSTATE.queryCanceled], tries: 3, firstMs: 0, maxMs: 0 },
  /** A step of harden that met rows which its index or constraint refuses; they are repaired before the next try. */
  refusedRows: {
    states: [SQLSTATE.uniqueViolation, SQLSTATE.foreignKeyViolation, SQLSTATE.checkViolation],
    tries: 5,
    firstMs: 0,
    maxMs: 0,
  },
  /** The last step of finalize, when a key moved after its page: it leaves in a page before the next try. */
  lateKeys: { states: [SQLSTATE.lateKeys], tries: 20, firstMs: 0, maxMs: 0 },
  /** A difference that the proof found while the platform writes. */
  doubt: { tries: 3, firstMs: 200, maxMs: 200 },
  /** A request of a probe; the probe file says how often it is sent. */
  request: { tries: 1, firstMs: 200, maxMs: 5_000 },
  /** The start of the embedded server, when another program has taken its port. */
  embeddedStart: { when: (error) => hasCode(error, 'embedded_start_failed'), tries: 5, firstMs: 20, maxMs: 100 },
} as const satisfies Record<string, RetryPolicy>;

export type PolicyName = keyof typeof POLICIES;

/** Does this policy allow another try after this error? */
export function isWorthRetrying(policy: PolicyName, error: unknown): boolean {
  const { states = [], when }: RetryPolicy = POLICIES[policy];
  return states.includes(sqlStateOf(error) ?? '') || when?.(error) === true;
}

export interface RetryOptions {
  policy: PolicyName;
  /** Ends the pauses: after it no further try is made. */
  stop: AbortSignal;
  /** Instead of the number of tries in the policy. */
  tries?: number | undefined;
  /** Instead of the failures in the policy. */
  when?: (error: unknown) => boolean;
  /** Called before the pause; a rejection ends the retry with its error. */
  onRetry?: ((error: unknown, attempt: number) => unknown) | undefined;
  /** For tests. */
  wait?: (milliseconds: number, stop: AbortSignal) => Promise<void>;
}

/**
 * Counts the failed tries of one policy. `retry` is built on it; a loop with other work between two tries uses it
 * directly.
 */
export class Tries {
  private failed = 0;

  constructor(private readonly options: RetryOptions) {}

  /** Forgets the failures so far. */
  succeeded(): void {
    this.failed = 0;
  }

  /** Pauses before the next try. @throws `error` when no further try is allowed, the reason of the stop at a stop */
  async next(error: unknown): Promise<void> {
    const { policy, stop, onRetry, wait = pause } = this.options;
    const { tries = POLICIES[policy].tries, when = (e: unknown) => isWorthRetrying(policy, e) } = this.options;
    this.failed += 1;
    if (this.failed >= tries || !when(error)) throw error;
    stop.throwIfAborted();
    await onRetry?.(error, this.failed);
    await wait(pauseBefore(this.failed, POLICIES[policy]), stop);
  }
}

/** Calls `fn` until it succeeds or its policy allows no further try. `fn` gets the number of the try, from 1. */
export async function retry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const tries = new Tries(options);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn(attempt);
    } catch (error) {
      await tries.next(error);
    }
  }
}

/**
 * Milliseconds to wait after the given failed try: half of the doubled base at least, the rest is left to chance, so
 * that competitors do not meet again.
 */
export function pauseBefore(
  attempt: number,
  { firstMs, maxMs }: Pick<RetryPolicy, 'firstMs' | 'maxMs'>,
  random: () => number = Math.random,
): number {
  const full = Math.min(maxMs, firstMs * 2 ** (attempt - 1));
  return Math.round((full * (1 + random())) / 2);
}
