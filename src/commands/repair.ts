import { repairText } from '../console/repair-text.js';
import { openMigration, placeOf, type OpenedMigration } from '../operations/opened.js';
import { repair, repairExit } from '../operations/repair.js';
import type { RepairReport } from '../repair/repair.js';
import type { Run } from './command.js';
import { confirm } from './confirm.js';
import type { CommandContext } from './context.js';
import type { repairCommand } from './definitions/migrate.js';
import { operating } from './operating.js';

export const run: Run<typeof repairCommand> = async (context, args) => {
  const opened = await openMigration(context);
  const report = await repair(operating(context, args), opened, {
    dryRun: args.dryRun,
    beforeWrite: (found) => show(context, opened, { found, yes: args.yes }),
  });
  if (context.json) context.printAnswer(report);
  else context.write(repairText(report));
  return repairExit(report);
};

/** Lists what a repair would do, and asks. */
async function show(
  context: CommandContext,
  { database }: OpenedMigration,
  { found, yes }: { found: RepairReport; yes: boolean },
): Promise<void> {
  await confirm(context, {
    question: `Bring the keys of ${placeOf(database)} back in line?`,
    lines: [repairText(found).trimEnd()],
    yes,
  });
  if (yes && !context.json) context.write(repairText(found));
}
