import type { Io } from './io.js';

export interface StopSignals {
  stop: AbortSignal;
  stopNow: AbortSignal;
  /** Stops listening: from then on a signal ends the process as usual. */
  close: () => void;
}

export interface StopOptions extends Pick<Io, 'onSignal'> {
  /** Answers the person who asked. */
  say: (text: string) => void;
}

/** The first SIGINT or SIGTERM asks to stop, the second to leave at once; a third one finds nobody listening. */
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
