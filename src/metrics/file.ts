import { replaceFile } from '../files/replace-file.js';
import { restAfter } from '../status/watch.js';
import { pause } from '../timing.js';
import type { MetricsFacts } from './facts.js';
import { familiesOf } from './families.js';
import { openMetrics } from './openmetrics.js';

/** As often as somebody who collects it looks, or less where a look takes the database long. */
const EVERY_MS = 5_000;

export interface MetricsOptions {
  file: string;
  /** Stands with every sample: files of several migrations may be collected in one place. */
  database: string;
  read: () => Promise<MetricsFacts>;
  /** Told once when the file cannot be written any more; the run goes on. */
  onFailure: (error: unknown) => void;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Ends early when its signal aborts. */
  wait?: (ms: number, ended: AbortSignal) => Promise<void>;
}

const untilAborted = (ms: number, ended: AbortSignal): Promise<void> => pause(ms, ended).catch(() => undefined);

/**
 * Does `work` with the file kept up to date: before it, every few seconds, and when it has ended, however it did.
 *
 * @throws `metrics_unwritable` before `work` begins where the file cannot be written; whatever `work` throws.
 */
export async function withMetricsFile<T>(options: MetricsOptions, work: () => Promise<T>): Promise<T> {
  const { now = Date.now, wait = untilAborted } = options;
  const look = lookAt(options, now);
  await look();
  const ended = new AbortController();
  const failure = { told: false };
  const lookOn = async (): Promise<void> => {
    await look().catch((error: unknown) => {
      if (!failure.told) options.onFailure(error);
      failure.told = true;
    });
  };
  const keeping = (async () => {
    while (!ended.signal.aborted) {
      const began = now();
      await lookOn();
      await wait(Math.max(EVERY_MS, restAfter(now() - began)), ended.signal);
    }
  })();
  try {
    return await work();
  } finally {
    ended.abort();
    await keeping;
    await lookOn();
  }
}

/** One look and one file; when the database does not answer, what it said last is written again, and that it is down. */
function lookAt({ file, database, read }: MetricsOptions, now: () => number): () => Promise<void> {
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
    await replaceFile({ file, kind: 'metrics', mode: 0o644 }, (append) => append(text));
  };
}
