import { setTimeout as pause } from 'node:timers/promises';

export interface RetryOptions {
  /** How often `fn` is called at most, the first time included. */
  attempts: number;
  /** The first pause, in milliseconds; each further one is twice as long, up to `maxMs`. */
  baseMs: number;
  maxMs: number;
  /** The share of a pause left to chance, 0 to 1, so that competitors do not meet again. Default 0.5. */
  jitter?: number;
  /** Which errors are worth another attempt. Every other one is thrown at once. */
  when: (error: unknown) => boolean;
  onRetry?: (event: { error: unknown; attempt: number; pauseMs: number }) => void;
  sleep?: (milliseconds: number) => Promise<unknown>;
  random?: () => number;
}

/**
 * Calls `fn` until it succeeds, with growing jittered pauses, and throws its last error when it never does.
 * `fn` gets the attempt's number, from 1.
 */
export async function retry<T>(fn: (attempt: number) => Promise<T>, options: RetryOptions): Promise<T> {
  const sleep = options.sleep ?? pause;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await fn(attempt);
    } catch (error) {
      if (attempt >= options.attempts || !options.when(error)) throw error;
      const pauseMs = pauseBefore(attempt, options);
      options.onRetry?.({ error, attempt, pauseMs });
      await sleep(pauseMs);
    }
  }
}

/** Milliseconds to wait after the given failed attempt: between (1 - jitter) and 1 times the doubled base. */
export function pauseBefore(
  attempt: number,
  { baseMs, maxMs, jitter = 0.5, random = Math.random }: Pick<RetryOptions, 'baseMs' | 'maxMs' | 'jitter' | 'random'>,
): number {
  const full = Math.min(maxMs, baseMs * 2 ** (attempt - 1));
  return Math.round(full * (1 - jitter + jitter * random()));
}
