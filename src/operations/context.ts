import type { StageName } from '../ledger/states.js';
import type { RunListener } from '../run/events.js';
import type { Opened, OpeningContext } from './opened.js';

/** Does `work` with the listeners of a run. */
export type Observe = <T>(
  opened: Opened,
  order: { until?: StageName },
  work: (listeners: readonly RunListener[]) => Promise<T>,
) => Promise<T>;

/** What an operation works with. A command makes it from flags, and a function of the package from its options. */
export interface OperationContext extends OpeningContext {
  /** For the connections that run DDL. */
  databaseUrl: string | undefined;
  /** The arguments of the command as the ledger keeps them; undefined for a caller of the package. */
  recorded?: readonly string[] | undefined;
  env: Record<string, string | undefined>;
  /** Aborts when the operator or the caller asks to stop: finish the current step and start no other. */
  stop: AbortSignal;
  /** Receives what happens outside of a run. */
  emit: RunListener;
  /** Surrounds a run: a command paints a picture meanwhile, a caller of the package gets its events. */
  observe: Observe;
}
