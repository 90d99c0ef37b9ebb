/** A transaction that has ended, for the log. */
export interface EndedTransaction {
  name: string;
  committed: boolean;
  ms: number;
}

export type OnTransaction = (ended: EndedTransaction) => void;

const NAMES = new WeakMap<object, string>();

/** The name of the transaction in which an error was thrown, or undefined if there was none. */
export const transactionOf = (error: unknown): string | undefined =>
  typeof error === 'object' && error !== null ? NAMES.get(error) : undefined;

/** Runs a transaction under its name: its errors keep the name, and `onEnd` is called with its end. */
export async function withName<T>(
  name: string | undefined,
  work: () => Promise<T>,
  onEnd: OnTransaction | undefined,
): Promise<T> {
  if (name === undefined) return work();
  const began = performance.now();
  const end = (committed: boolean): void => onEnd?.({ name, committed, ms: Math.round(performance.now() - began) });
  try {
    const result = await work();
    end(true);
    return result;
  } catch (error) {
    if (typeof error === 'object' && error !== null && !NAMES.has(error)) NAMES.set(error, name);
    end(false);
    throw error;
  }
}
