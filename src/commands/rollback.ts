import { EXIT } from '../errors/exit-codes.js';
import { counted } from '../format.js';
import { requireAllowed } from '../ledger/allowed.js';
import { isBegun } from '../ledger/states.js';
import { previewRollback } from '../stages/rollback/preview.js';
import { rollBackAccounts } from '../stages/rollback/accounts.js';
import { nothingToRollBack, rollBack, type RollbackReport } from '../stages/rollback/rollback.js';
import { rollbackText } from '../console/result-text.js';
import { rollbackLines } from '../console/rollback-question.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { rollbackCommand } from './definitions/migrate.js';
import type { Arguments } from './read-arguments.js';
import { readAccounts } from './accounts.js';
import { openMigration, placeOf, type OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export const run: Run<typeof rollbackCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const report = await rollBackAll(context, opened, args);
  if (context.json) context.printAnswer(report);
  else context.write(rollbackText(report));
  return EXIT.done;
};

async function rollBackAll(
  context: CommandContext,
  opened: OpenedMigration,
  args: Arguments<typeof rollbackCommand>,
): Promise<RollbackReport> {
  const { database, schema } = opened;
  const accounts = args.accounts === undefined ? undefined : await readAccounts(opened, args.accounts);
  if (!isBegun(opened.installed.state)) return nothingToRollBack(database, schema);
  if (!args.yes) await ask(context, opened, accounts);
  return startRun(context, opened, {
    command: 'rollback',
    metricsFile: args.metricsFile,
    work: (stage) => (accounts === undefined ? rollBack(stage) : rollBackAccounts(stage, accounts)),
  });
}

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
