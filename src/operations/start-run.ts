import { withRun, type RunOrder, type RunSettings } from '../run/run.js';
import type { RunListener } from '../run/events.js';
import type { OperationContext } from './context.js';
import type { Opened } from './opened.js';

/** Runs what changes a migration, with the listeners that the context has for a run. */
export const startRun = <T>(context: OperationContext, opened: Opened, order: RunOrder<T>): Promise<T> =>
  context.observe(opened, order, (listeners) => withRun(runSettings(context, opened, listeners), order));

/** What a run needs of its operation. */
export const runSettings = (
  { databaseUrl, recorded, stop }: OperationContext,
  opened: Opened,
  listeners: readonly RunListener[],
): RunSettings => ({ ...opened, url: databaseUrl!, recorded, stop, listeners });
