import { uninstallText } from '../console/uninstall-text.js';
import { EXIT } from '../errors/exit-codes.js';
import { keepsTable, requireUninstallable } from '../stages/uninstall/refusals.js';
import { NOTHING_TO_UNINSTALL, uninstall, type UninstallReport } from '../stages/uninstall/uninstall.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { uninstallCommand } from './definitions/uninstall.js';
import { openMigration, placeOf, type OpenedMigration } from './opened.js';
import { startRun } from './start-run.js';

export const run: Run<typeof uninstallCommand> = async (context, { yes }) => {
  const opened = await openMigration(context);
  const report = opened.installed.ledger ? await removeAll(context, opened, yes) : NOTHING_TO_UNINSTALL;
  if (context.json) context.printAnswer(report);
  else context.write(uninstallText(report, opened.schema.legacy.target));
  return EXIT.done;
};

async function removeAll(context: CommandContext, opened: OpenedMigration, yes: boolean): Promise<UninstallReport> {
  const { database, schema, installed } = opened;
  // Refused before the question.
  await database.readOnly((session) => requireUninstallable(session, schema, installed));
  const kept = keepsTable(installed);
  await confirm(context, {
    question: `Remove keylift from ${placeOf(database)}?`,
    lines: [
      'This removes schema keylift with its history. keylift.authorize and keylift.per_api_keys go, too:',
      kept
        ? `the gateway must read ${schema.legacy.target} itself before. The account keys stay in that table.`
        : `the gateway must read ${schema.legacy.keys} itself before. ${schema.legacy.target} is removed.`,
    ],
    yes,
  });
  return startRun(context, opened, { command: 'uninstall', metricsFile: undefined, work: uninstall });
}
