import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { isBegun } from '../ledger/states.js';
import type { TriggerDecision } from '../mapping/platform-triggers.js';
import { rollBackAccounts } from '../stages/rollback/accounts.js';
import { nothingToRollBack, rollBack, type RollbackReport } from '../stages/rollback/rollback.js';
import type { OperationContext } from './context.js';
import type { OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export interface RollbackOptions {
  /** Only these accounts; default: all. */
  accountIds?: string[] | undefined;
  /** What happens to the platform's triggers on the rows that are restored. */
  triggers?: TriggerDecision | undefined;
  /** Is called before the first write, where there is something to roll back; it may throw. */
  beforeWrite?: () => Promise<void>;
}

/** Returns accounts to their per-API keys: what `rollback --json` prints. */
export async function rollback(
  context: OperationContext,
  opened: OpenedMigration,
  { accountIds, triggers, beforeWrite }: RollbackOptions,
): Promise<RollbackReport> {
  const { database, schema, installed } = opened;
  if (!isBegun(installed.state)) return nothingToRollBack(database, schema);
  await beforeWrite?.();
  return startRun(context, opened, {
    command: 'rollback',
    work: (stage) => (accountIds === undefined ? rollBack(stage, { triggers }) : rollBackAccounts(stage, accountIds)),
    exitCode: rollbackExit,
  });
}

/** The next rollback finds nothing to do: this one reports the keys that were left. */
export const rollbackExit = ({ rolled_back: rolledBack, left }: RollbackReport): ExitCode =>
  rolledBack && left.length > 0 ? EXIT.exceptions : EXIT.done;
