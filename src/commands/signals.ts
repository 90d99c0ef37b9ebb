import type { Io } from './io.js';

export interface StopSignals {
  stop: AbortSignal;
  stopNow: AbortSignal;
  /** Stops listening: from then on a signal ends the process as usual. */
  close: () => void;
}

/** The first SIGINT or SIGTERM asks to stop, the second to leave at once; a third one finds nobody listening. */
export function listenForStop({ onSignal, stderr }: Pick<Io, 'onSignal' | 'stderr'>): StopSignals {
  const stop = new AbortController();
  const stopNow = new AbortController();
  const close = onSignal((signal) => {
    if (!stop.signal.aborted) {
      stderr.write(`${signal}: finishing what is begun; once more leaves at once. Both can be resumed\n`);
      stop.abort();
      return;
    }
    stderr.write(`${signal} again: leaving at once; what is not committed is rolled back\n`);
    stopNow.abort();
    close();
  });
  return { stop: stop.signal, stopNow: stopNow.signal, close };
}
