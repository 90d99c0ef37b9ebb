import { EXIT } from '../errors/exit-codes.js';
import { hasExit, keyliftError, type ErrorDetails } from '../errors/keylift-error.js';
import type { Io } from './io.js';

export interface StopSignals {
  stop: AbortSignal;
  stopNow: AbortSignal;
  /** Stops listening: from then on a signal ends the process as usual. */
  close: () => void;
}

export interface StopOptions extends Pick<Io, 'onSignal'> {
  /** Answers the operator. */
  say: (text: string) => void;
}

/** The first SIGINT or SIGTERM asks the command to stop, the second one to leave at once; a third ends the process. */
export function listenForStop({ onSignal, say }: StopOptions): StopSignals {
  const stop = new AbortController();
  const stopNow = new AbortController();
  const close = onSignal((signal) => {
    if (!stop.signal.aborted) {
      say(`${signal}: finishing what is begun; once more leaves at once. Both can be resumed\n`);
      stop.abort();
      return;
    }
    say(`${signal} again: leaving at once; what is not committed is rolled back\n`);
    stopNow.abort();
    close();
  });
  return { stop: stop.signal, stopNow: stopNow.signal, close };
}

/** Does `work`. If it is stopped, the error says what the command left, and how to continue. */
export async function whenStopped<T>(
  stop: AbortSignal,
  left: Pick<ErrorDetails, 'message' | 'hint'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!stop.aborted || hasExit(cause, EXIT.interrupted)) throw cause;
    throw keyliftError('interrupted', { ...left, cause });
  }
}
