import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { requireBegun } from '../ledger/allowed.js';
import { planRepair, repair as bringBack, type RepairReport } from '../repair/repair.js';
import type { OperationContext } from './context.js';
import type { OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export interface RepairOptions {
  /** Only lists what is out of line. */
  dryRun?: boolean | undefined;
  /** Is called with what a repair would do, before the first write; it may throw. */
  beforeWrite?: (found: RepairReport) => Promise<void>;
}

/** Brings the mirror, account keys and outcomes back in line: what `repair --json` prints. */
export async function repair(
  context: OperationContext,
  opened: OpenedMigration,
  { dryRun = false, beforeWrite }: RepairOptions,
): Promise<RepairReport> {
  requireBegun('repair', opened.installed.state);
  if (dryRun || beforeWrite !== undefined) {
    const found = await planRepair(opened, opened.installed);
    if (dryRun) return found;
    await beforeWrite?.(found);
  }
  return startRun(context, opened, { command: 'repair', work: bringBack, exitCode: repairExit });
}

/** A proof that fails after the repair. */
export const repairExit = ({ proof }: RepairReport): ExitCode => (proof?.ok === false ? EXIT.differences : EXIT.done);
