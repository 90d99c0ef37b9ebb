import { hiddenSessions, hiddenText } from '../database/hidden-sessions.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { readHolds } from '../plan/holds.js';
import { wrap } from '../console/layout.js';
import { planText } from '../console/plan-text.js';
import { migrationText } from '../console/result-text.js';
import { readLeadingRun } from '../ledger/leading-run.js';
import type { LedgerState } from '../ledger/migration.js';
import { isBegun, reached } from '../ledger/states.js';
import { preflight } from '../preflight/preflight.js';
import { scopeGate } from '../preflight/surroundings.js';
import { concerns } from '../surroundings/findings.js';
import { assistBackfill } from '../stages/backfill/assist.js';
import { installLedger } from '../run/run.js';
import { migrate, type MigrationReport } from '../stages/migrate.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { migrateCommand } from './definitions/migrate.js';
import type { Arguments } from './read-arguments.js';
import { openMapped, openMigration, placeOf, type Opened, type OpenedMigration } from './opened.js';
import { paceOf, withPlan } from './planned.js';
import { settingsOf, startRun } from './start-run.js';

type MigrateArguments = Arguments<typeof migrateCommand>;

export const run: Run<typeof migrateCommand> = async (context, args) => {
  if (args.dryRun) return dryRun(context, args);
  const opened = await openMigration(context);
  const holds =
    args.holds === undefined
      ? undefined
      : await opened.database.readOnly((s) => readHolds(s, args.holds!, opened.schema));
  await checkGates(context, opened, args);
  await checkPlan(context, opened, args);
  await ask(context, opened, args);
  await installLedger(settingsOf(context, opened));
  const until = args.until ?? 'switch';
  const options = {
    ...paceOf(args),
    maxLag: args.maxLag === undefined ? null : args.maxLag / 1000,
    maxActive: args.maxActive ?? null,
  };
  const report = await startRun(context, opened, {
    command: 'migrate',
    until,
    options,
    metricsFile: args.metricsFile,
    work: (stage) => migrate(stage, { until, holds }),
    exitCode: exitCodeOf,
    assist: assistBackfill,
  });
  if (context.json) context.printAnswer(report);
  else context.write(migrationText(report));
  return exitCodeOf(report);
};

/** `migrate --dry-run` is `plan`. With `--plan` it also compares the saved plan. */
async function dryRun(context: CommandContext, args: MigrateArguments): Promise<ExitCode> {
  const { showPlan } = await import('./plan.js');
  const opened = await openMapped(context);
  await checkPlan(context, opened, args);
  return showPlan(context, opened, { ...args, ...NO_PLAN_FLAGS });
}

/** Flags that `plan` alone has. */
const NO_PLAN_FLAGS = {
  showSql: false,
  rehearse: false,
  out: undefined,
  keys: undefined,
  dormant: undefined,
  notice: undefined,
};

/** Before the first write: is the database still as the saved plan says? */
async function checkPlan(context: CommandContext, opened: Opened, args: MigrateArguments): Promise<void> {
  if (args.plan === undefined) return;
  const { requireReviewedPlan } = await import('./reviewed.js');
  const { plan: file, tolerance, holds } = args;
  await requireReviewedPlan(context, opened, { file, tolerance, holds, pace: paceOf(args) });
}

const exitCodeOf = ({ exceptions }: MigrationReport): ExitCode => (exceptions > 0 ? EXIT.exceptions : EXIT.done);

/**
 * Gates come before the first write only: they would refuse the triggers and the table of an active migration. One is
 * asked again before a migration that has begun switches accounts.
 */
async function checkGates(
  { logger }: CommandContext,
  { database, schema, installed }: OpenedMigration,
  { until = 'switch' }: MigrateArguments,
): Promise<void> {
  const { state } = installed;
  if (isBegun(state)) {
    if (until === 'switch' && state.state === 'active' && !reached(state.stage, 'switch'))
      await database.readOnly((session) => scopeGate(session, schema));
    return;
  }
  await database.readOnly(async (session) => {
    await preflight({ session, schema, host: database.where.host, installed });
    const hidden = await hiddenSessions(session);
    if (hidden > 0) logger.warn('doubt', hiddenText(hidden));
  });
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
  const request = { holds: args.holds, pace: paceOf(args), listed: 0 };
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
