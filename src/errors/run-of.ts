const RUNS = new WeakMap<object, string>();

/** Remembers in which run an error was thrown, for its report. The first run is kept. */
export function noteRun(thrown: unknown, runId: string): void {
  if (typeof thrown === 'object' && thrown !== null && !RUNS.has(thrown)) RUNS.set(thrown, runId);
}

/** The run in which an error was thrown, or undefined if there was none. */
export const runOf = (thrown: unknown): string | undefined =>
  typeof thrown === 'object' && thrown !== null ? RUNS.get(thrown) : undefined;
