import { requireBegun } from '../ledger/allowed.js';
import type { TriggerDecision } from '../mapping/platform-triggers.js';
import { finalize as archive, purge as deleteArchive, type FinalizeReport } from '../stages/finalize/finalize.js';
import type { OperationContext } from './context.js';
import type { OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export interface FinalizeOptions {
  /** Deletes the archive: after it there is no way back. */
  purge?: boolean | undefined;
  /** What happens to the platform's triggers on the rows that are deleted. */
  triggers?: TriggerDecision | undefined;
  /** Is called before the first write; it may throw. */
  beforeWrite?: () => Promise<void>;
}

/** Archives the moved per-API rows, or deletes the archive: what `finalize --json` prints. */
export async function finalize(
  context: OperationContext,
  opened: OpenedMigration,
  { purge = false, triggers, beforeWrite }: FinalizeOptions,
): Promise<FinalizeReport> {
  const command = purge ? 'finalize --purge' : 'finalize';
  requireBegun(command, opened.installed.state);
  await beforeWrite?.();
  return startRun(context, opened, {
    command,
    work: (stage) => (purge ? deleteArchive(stage) : archive(stage, { triggers })),
  });
}
