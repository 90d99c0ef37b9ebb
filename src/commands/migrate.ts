import { hiddenSessions, hiddenText } from '../database/hidden-sessions.js';
import { openSameSnapshot } from '../database/same-snapshot.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import { holdsOfLedger } from '../ledger/holds.js';
import { readHolds } from '../plan/holds.js';
import { planMove } from '../plan/plan.js';
import { planText } from '../console/plan-text.js';
import { migrationText } from '../console/result-text.js';
import type { LedgerState } from '../ledger/migration.js';
import { isBegun } from '../ledger/states.js';
import { preflight } from '../preflight/preflight.js';
import { assistBackfill } from '../stages/backfill/assist.js';
import { installLedger } from '../run/run.js';
import { DEFAULT_PACE } from '../run/context.js';
import { migrate, type MigrationReport } from '../stages/migrate.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { migrateCommand } from './definitions/migrate.js';
import type { Arguments } from './read-arguments.js';
import { openMigration, placeOf, type OpenedMigration } from './opened.js';
import { settingsOf, startRun } from './start-run.js';

export const run: Run<typeof migrateCommand> = async (context, args) => {
  if (args.dryRun) {
    const plan = await import('./plan.js');
    return plan.run(context, { showSql: false, rehearse: false, holds: args.holds, notice: undefined });
  }
  const opened = await openMigration(context);
  const holds =
    args.holds === undefined
      ? undefined
      : await opened.database.readOnly((s) => readHolds(s, args.holds!, opened.schema));
  await checkGates(context, opened);
  await ask(context, opened, args);
  await installLedger(settingsOf(context, opened));
  const until = args.until ?? 'switch';
  const options = {
    concurrency: args.concurrency ?? DEFAULT_PACE.concurrency,
    batchSize: args.batchSize ?? DEFAULT_PACE.batchSize,
    batchSeconds: args.batchTime === undefined ? DEFAULT_PACE.batchSeconds : args.batchTime / 1000,
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

const exitCodeOf = ({ exceptions }: MigrationReport): ExitCode => (exceptions > 0 ? EXIT.exceptions : EXIT.done);

/** Gates come before the first write only: they would refuse the triggers and the table of an active migration. */
async function checkGates({ logger }: CommandContext, { database, schema, installed }: OpenedMigration): Promise<void> {
  if (isBegun(installed.state)) return;
  await database.readOnly(async (session) => {
    await preflight({ session, schema, host: database.where.host, installed });
    const hidden = await hiddenSessions(session);
    if (hidden > 0) logger.warn('doubt', hiddenText(hidden));
  });
}

/** Where a person can answer, the question shows the numbers of the plan. */
async function ask(
  context: CommandContext,
  { database, schema, installed }: OpenedMigration,
  args: Arguments<typeof migrateCommand>,
): Promise<void> {
  const until = args.until === undefined ? '' : `, up to ${args.until}`;
  const question = `Migrate ${placeOf(database)} as ${database.where.user}${until}?`;
  if (args.yes || !context.io.isTTY.stdin) {
    await confirm(context, { question, yes: args.yes });
    return;
  }
  const plan = await database.readOnly(
    async (session) => {
      const holds =
        args.holds === undefined
          ? await holdsOfLedger(session, installed)
          : await readHolds(session, args.holds, schema);
      return planMove(session, schema, {
        holds,
        installed,
        batchSize: args.batchSize ?? DEFAULT_PACE.batchSize,
        listed: 0,
        inSameSnapshot: await openSameSnapshot(database, session),
      });
    },
    { isolation: 'repeatable read' },
  );
  const lines = [
    planText(plan, { brief: true }),
    ...resumeText(installed.state),
    'A rollback is possible until finalize --purge: keylift rollback.',
  ];
  await confirm(context, { question, yes: false, lines });
}

/** A migration that has begun continues where it stopped. */
const resumeText = (state: LedgerState | null): string[] =>
  state?.stage == null || state.state !== 'active' ? [] : [`Already started: it continues after ${state.stage}.`];
