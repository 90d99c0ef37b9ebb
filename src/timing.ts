import { setTimeout as timeout } from 'node:timers/promises';

/** For work that no operator can stop, such as what ends a command. */
export const NEVER: AbortSignal = new AbortController().signal;

/** Waits so many milliseconds, and no longer than until `stop` aborts. @throws the reason of the signal */
export async function pause(milliseconds: number, stop: AbortSignal): Promise<void> {
  stop.throwIfAborted();
  await timeout(milliseconds, undefined, { signal: stop }).catch(() => undefined);
  stop.throwIfAborted();
}

/**
 * Calls `act` after so many milliseconds, unless the returned function is called first. The timer does not keep the
 * process alive.
 */
export function after(milliseconds: number, act: () => void): () => void {
  const timer = setTimeout(act, milliseconds).unref();
  return () => {
    clearTimeout(timer);
  };
}

const REPEAT_MS = 500;

/**
 * Calls `act` when the signal aborts, and twice a second from then on: a statement that it cancels may begin between
 * two calls. Returns a function that ends this.
 */
export function whenAborted(signal: AbortSignal, act: () => unknown): () => void {
  let timer: NodeJS.Timeout | undefined;
  const begin = (): void => {
    void act();
    timer = setInterval(() => void act(), REPEAT_MS);
    timer.unref();
  };
  if (signal.aborted) begin();
  else signal.addEventListener('abort', begin, { once: true });
  return () => {
    signal.removeEventListener('abort', begin);
    clearInterval(timer);
  };
}
