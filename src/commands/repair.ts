import { repairText } from '../console/repair-text.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { requireBegun } from '../ledger/allowed.js';
import { planRepair, repair, type RepairReport } from '../repair/repair.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { repairCommand } from './definitions/migrate.js';
import { confirm } from './confirm.js';
import { openMigration, placeOf } from './opened.js';
import { startRun } from './start-run.js';

export const run: Run<typeof repairCommand> = async (context, args) => {
  const opened = await openMigration(context);
  requireBegun('repair', opened.installed.state);
  const plan = await planRepair(opened, opened.installed);
  if (args.dryRun) return answer(context, plan);
  await confirm(context, {
    question: `Bring the keys of ${placeOf(opened.database)} back in line?`,
    lines: [repairText(plan).trimEnd()],
    yes: args.yes,
  });
  if (args.yes && !context.json) context.write(repairText(plan));
  return answer(
    context,
    await startRun(context, opened, {
      command: 'repair',
      metricsFile: args.metricsFile,
      work: repair,
      exitCode: exitOf,
    }),
  );
};

function answer(context: CommandContext, report: RepairReport): ExitCode {
  if (context.json) context.printAnswer(report);
  else context.write(repairText(report));
  return exitOf(report);
}

const exitOf = ({ proof }: RepairReport): ExitCode => (proof?.ok === false ? EXIT.differences : EXIT.done);
