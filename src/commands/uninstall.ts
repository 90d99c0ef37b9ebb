import { uninstallText } from '../console/uninstall-text.js';
import { EXIT } from '../errors/exit-codes.js';
import { openMigration, placeOf, type OpenedMigration } from '../operations/opened.js';
import { uninstall } from '../operations/uninstall.js';
import { keepsTable } from '../stages/uninstall/refusals.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { uninstallCommand } from './definitions/uninstall.js';
import { operating } from './operating.js';

export const run: Run<typeof uninstallCommand> = async (context, { yes }) => {
  const opened = await openMigration(context);
  const report = await uninstall(operating(context), opened, { beforeWrite: () => ask(context, opened, yes) });
  if (context.json) context.printAnswer(report);
  else context.write(uninstallText(report, opened.schema.legacy.target));
  return EXIT.done;
};

const ask = (context: CommandContext, { database, schema, installed }: OpenedMigration, yes: boolean): Promise<void> =>
  confirm(context, {
    question: `Remove keylift from ${placeOf(database)}?`,
    lines: [
      'This removes schema keylift with its history. keylift.authorize and keylift.per_api_keys go, too:',
      keepsTable(installed)
        ? `the gateway must read ${schema.legacy.target} itself before. The account keys stay in that table.`
        : `the gateway must read ${schema.legacy.keys} itself before. ${schema.legacy.target} is removed.`,
    ],
    yes,
  });
