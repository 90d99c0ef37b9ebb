import { isLoss } from '../database/failures.js';
import { Tries, type RetryOptions } from '../database/retry.js';
import { hasCode } from '../errors/keylift-error.js';

/** A try that lasted this long had a connection: its loss is a new one. */
const CALM_MS = 60_000;

export interface ConnectionLossOptions extends Pick<RetryOptions, 'stop' | 'wait'> {
  /** Called after each loss, before the next try. */
  onLoss: (error: unknown) => void;
  now?: () => number;
}

/**
 * Calls `work` again when it lost its connection. `work` must be safe to repeat at any point: a statement under way may
 * have been done or not, and only the ledger knows.
 *
 * @throws the loss (exit 5) when no connection can be had, or none lasts; every other error at once
 */
export async function retryOnConnectionLoss<T>(
  work: () => Promise<T>,
  { stop, wait, onLoss, now = () => performance.now() }: ConnectionLossOptions,
): Promise<T> {
  const tries = new Tries({ policy: 'connection', stop, onRetry: onLoss, ...(wait && { wait }) });
  for (let loss: unknown; ;) {
    const began = now();
    try {
      return await work();
    } catch (error) {
      if (now() - began > CALM_MS) tries.succeeded();
      if (isLoss(error)) loss = error;
      await tries.next(error).catch((last: unknown) => {
        // A lease that ends while there is no connection is a consequence of the loss.
        throw hasCode(last, 'lease_lost') && loss !== undefined ? loss : last;
      });
    }
  }
}
