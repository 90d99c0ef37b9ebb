import { writeText } from '../files/write.js';
import { restAfter } from '../status/watch.js';
import { pause } from '../timing.js';
import type { MetricsFacts } from './facts.js';
import { familiesOf } from './families.js';
import { openMetrics } from './openmetrics.js';

/** At the usual interval of a collector, or less often where reading takes the database long. */
const EVERY_MS = 5_000;

export interface MetricsOptions {
  file: string;
  /** A label of every sample, because one collector may read files of several migrations. */
  database: string;
  read: () => Promise<MetricsFacts>;
  /** Called once when the file can no longer be written. The run continues. */
  onFailure: (error: unknown) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Ends when its signal aborts. */
  wait?: (ms: number, ended: AbortSignal) => Promise<void>;
}

const untilAborted = (ms: number, ended: AbortSignal): Promise<void> => pause(ms, ended).catch(() => undefined);

/**
 * Does `work` and writes the file before it, every few seconds, and after it, also when it fails.
 *
 * @throws `metrics_unwritable` before `work` begins where the file cannot be written; all that `work` throws.
 */
export async function withMetricsFile<T>(options: MetricsOptions, work: () => Promise<T>): Promise<T> {
  const { now = Date.now, wait = untilAborted } = options;
  const write = writerOf(options, now);
  await write();
  const ended = new AbortController();
  const failure = { reported: false };
  const tryToWrite = async (): Promise<void> => {
    await write().catch((error: unknown) => {
      if (!failure.reported) options.onFailure(error);
      failure.reported = true;
    });
  };
  const keeping = (async () => {
    while (!ended.signal.aborted) {
      const began = now();
      await tryToWrite();
      await wait(Math.max(EVERY_MS, restAfter(now() - began)), ended.signal);
    }
  })();
  try {
    return await work();
  } finally {
    ended.abort();
    await keeping;
    await tryToWrite();
  }
}

/** Reads and writes once. Without an answer of the database it writes the last values, marked as not up. */
function writerOf({ file, database, read }: MetricsOptions, now: () => number): () => Promise<void> {
  let facts: MetricsFacts | null = null;
  return async () => {
    const up = await read().then(
      (read) => {
        facts = read;
        return true;
      },
      () => false,
    );
    const text = openMetrics(familiesOf(facts, { at: now() / 1000, up }), { database });
    // Numbers without names or ids, which the program of another user collects.
    await writeText({ file, what: 'the metrics file', code: 'metrics_unwritable' }, text, { readers: 'collector' });
  };
}
