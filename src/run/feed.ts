import pLimit from 'p-limit';

export interface FeedOptions {
  /** Batches at once, read before each new one, so that tuning takes effect within one batch. */
  concurrency: () => number;
  /** Runs one batch; false when none was left to claim. */
  work: () => Promise<boolean>;
  /** Resolves when the next batch may begin. */
  ready: () => Promise<void>;
  stop: AbortSignal;
}

/**
 * Keeps as many batches under way as asked for until none is left. At a stop, or after an error, batches under way
 * are finished first; then the reason is thrown.
 */
export async function feed({ concurrency, work, ready, stop }: FeedOptions): Promise<void> {
  const limit = pLimit(Math.max(1, concurrency()));
  const underWay = new Set<Promise<void>>();
  const end: { drained: boolean; error?: unknown } = { drained: false };
  const fail = (error: unknown): void => {
    end.error ??= error;
    end.drained = true;
  };
  const begin = (): void => {
    const batch = limit(work)
      .then((worked) => {
        if (!worked) end.drained = true;
      }, fail)
      .finally(() => underWay.delete(batch));
    underWay.add(batch);
  };
  while (!end.drained && !stop.aborted) {
    await ready().catch(fail);
    limit.concurrency = Math.max(1, concurrency());
    while (!end.drained && !stop.aborted && underWay.size < limit.concurrency) begin();
    if (underWay.size > 0) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  if (end.error !== undefined) throw end.error;
  stop.throwIfAborted();
}
