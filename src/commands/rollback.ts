import { rollbackText } from '../console/result-text.js';
import { rollbackLines } from '../console/rollback-question.js';
import { counted } from '../format.js';
import { requireAllowed } from '../ledger/allowed.js';
import { readAccounts } from '../operations/accounts.js';
import { openMigration, placeOf, type OpenedMigration } from '../operations/opened.js';
import { rollback, rollbackExit } from '../operations/rollback.js';
import { previewRollback } from '../stages/rollback/preview.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { rollbackCommand } from './definitions/migrate.js';
import { operating } from './operating.js';

export const run: Run<typeof rollbackCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const accountIds = args.accounts === undefined ? undefined : await readAccounts(opened, args.accounts);
  const report = await rollback(operating(context, args), opened, {
    accountIds,
    triggers: args.triggers,
    ...(!args.yes && { beforeWrite: () => ask(context, opened, accountIds) }),
  });
  if (context.json) context.printAnswer(report);
  else context.write(rollbackText(report));
  return rollbackExit(report);
};

/** Refuses what the rollback would refuse, and shows what it would change, before it asks. */
async function ask(context: CommandContext, opened: OpenedMigration, accountIds: string[] | undefined): Promise<void> {
  const { database, schema, installed } = opened;
  requireAllowed(accountIds === undefined ? 'rollback' : 'rollback --accounts', installed.state);
  const what = accountIds === undefined ? 'the migration' : counted(accountIds.length, 'account');
  await confirm(context, {
    question: `Roll back ${what} of ${placeOf(database)}?`,
    lines: rollbackLines(await previewRollback(database, { schema, installed, accountIds }), accountIds?.length),
    yes: false,
  });
}
