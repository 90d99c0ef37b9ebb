import { wrap } from '../console/layout.js';
import { planText } from '../console/plan-text.js';
import { migrationText } from '../console/result-text.js';
import type { ExitCode } from '../errors/exit-codes.js';
import { readLeadingRun } from '../ledger/leading-run.js';
import type { LedgerState } from '../ledger/migration.js';
import { isBegun } from '../ledger/states.js';
import { checkPlan, migrate, migrationExit } from '../operations/migrate.js';
import { openMapped, openMigration, placeOf, type OpenedMigration } from '../operations/opened.js';
import { paceOf as plannedPace, withPlan } from '../operations/planned.js';
import { concerns } from '../surroundings/findings.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { migrateCommand } from './definitions/migrate.js';
import { operating } from './operating.js';
import { inSeconds, paceOf } from './pace.js';
import type { Arguments } from './read-arguments.js';

type MigrateArguments = Arguments<typeof migrateCommand>;

export const run: Run<typeof migrateCommand> = async (context, args) => {
  if (args.dryRun) return dryRun(context, args);
  const opened = await openMigration(context);
  const report = await migrate(operating(context, args), opened, {
    ...args,
    ...paceOf(args),
    maxLag: inSeconds(args.maxLag),
    maxLatency: inSeconds(args.maxLatency),
    beforeWrite: () => ask(context, opened, args),
  });
  if (context.json) context.printAnswer(report);
  else context.write(migrationText(report));
  return migrationExit(report);
};

/** `migrate --dry-run` is `plan`. With `--plan` it also compares the saved plan. */
async function dryRun(context: CommandContext, args: MigrateArguments): Promise<ExitCode> {
  const { showPlan } = await import('./plan.js');
  const opened = await openMapped(context);
  await checkPlan(operating(context), opened, { ...args, ...paceOf(args) });
  return showPlan(context, opened, { holds: args.holds, ...paceOf(args) });
}

/** Where a person can answer, the question shows the numbers of the plan. */
async function ask(context: CommandContext, opened: OpenedMigration, args: MigrateArguments): Promise<void> {
  const { database, installed } = opened;
  const joined = await joinText(opened);
  const until = args.until === undefined ? '' : `, up to ${args.until}`;
  const question = `Migrate ${placeOf(database)} as ${database.where.user}${until}?`;
  if (args.yes || !context.io.isTTY.stdin) {
    if (args.yes && joined !== null) context.logger.info('step', joined);
    await confirm(context, { question, yes: args.yes });
    return;
  }
  const request = { holds: args.holds, pace: plannedPace(paceOf(args)), listed: 0 };
  const { plan, surroundings } = await withPlan(opened, request, async (planned) => ({
    plan: planned.plan,
    surroundings: await concerns(planned.session, opened.schema),
  }));
  const lines = [
    planText(plan, { brief: true, surroundings }),
    ...(joined === null ? resumeText(installed.state) : [wrap(joined, { rest: '  ' })]),
    'A rollback is possible until finalize --purge: keylift rollback.',
  ];
  await confirm(context, { question, yes: false, lines });
}

/** A migration that has begun continues where it stopped. */
const resumeText = (state: LedgerState | null): string[] =>
  state?.stage == null || state.state !== 'active' ? [] : [`Already started: it continues after ${state.stage}.`];

/** A second migrate helps the run that leads. */
async function joinText({ database, installed }: OpenedMigration): Promise<string | null> {
  if (!installed.ledger || !isBegun(installed.state)) return null;
  const leading = await database.readOnly(readLeadingRun);
  if (leading === null) return null;
  const { command, host, pid } = leading;
  return (
    `Another run is active: ${command} on ${host}, process ${String(pid)}. This run joins it: it helps to copy keys, ` +
    'and takes over when that run ends.'
  );
}
