import { requireBegun } from '../ledger/allowed.js';
import type { SwitchOrder } from '../stages/switch/rule.js';
import { switchAccounts as applyOrder, type SwitchReport } from '../stages/switch/switch.js';
import type { OperationContext } from './context.js';
import type { OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

/** Switches accounts to their account keys, or back: what `switch --json` prints. */
export async function switchAccounts(
  context: OperationContext,
  opened: OpenedMigration,
  { beforeWrite, ...order }: SwitchOrder & { beforeWrite?: () => Promise<void> },
): Promise<SwitchReport> {
  requireBegun(order.back ? 'switch --back' : 'switch', opened.installed.state);
  await beforeWrite?.();
  return startRun(context, opened, {
    command: 'switch',
    work: ({ database, schema, run }) => applyOrder({ database, schema, run, order }),
  });
}
