import pLimit from 'p-limit';

/**
 * Waits for all, also when one fails: work under way uses the session or the tables that the caller releases next.
 *
 * @throws the first error, in the order given
 */
export async function allDone<T extends readonly unknown[]>(work: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const ended = await Promise.allSettled(work);
  for (const outcome of ended) if (outcome.status === 'rejected') throw outcome.reason;
  return ended.map((outcome) => (outcome as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

/**
 * Does `work` for each item, `atOnce` at a time. The answers are in the order of the items. After an error no further
 * item begins.
 *
 * @throws the first error, once all that is under way has ended
 */
export async function fewAtOnce<Item, Answer>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<Answer>,
): Promise<Answer[]> {
  const limit = pLimit(atOnce);
  const failure: { error?: unknown } = {};
  return allDone(
    items.map((item) =>
      limit(async () => {
        if ('error' in failure) throw failure.error;
        try {
          return await work(item);
        } catch (error) {
          if (!('error' in failure)) failure.error = error;
          throw failure.error;
        }
      }),
    ),
  );
}
