import { requireUninstallable } from '../stages/uninstall/refusals.js';
import { NOTHING_TO_UNINSTALL, uninstall as removeAll, type UninstallReport } from '../stages/uninstall/uninstall.js';
import type { OperationContext } from './context.js';
import type { OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export interface UninstallOptions {
  /** Is called before the first write, where nothing refuses; it may throw. */
  beforeWrite?: () => Promise<void>;
}

/** Removes everything that keylift created: what `uninstall --json` prints. */
export async function uninstall(
  context: OperationContext,
  opened: OpenedMigration,
  { beforeWrite }: UninstallOptions,
): Promise<UninstallReport> {
  const { database, schema, installed } = opened;
  if (!installed.ledger) return NOTHING_TO_UNINSTALL;
  await database.readOnly((session) => requireUninstallable(session, schema, installed));
  await beforeWrite?.();
  return startRun(context, opened, { command: 'uninstall', work: removeAll });
}
