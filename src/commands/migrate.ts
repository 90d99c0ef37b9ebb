import { hiddenSessions, hiddenText } from '../database/hidden-sessions.js';
import { besideInSnapshot } from '../database/same-snapshot.js';
import { EXIT } from '../errors/exit-codes.js';
import { holdsOfLedger, readHolds } from '../plan/holds.js';
import { planMove } from '../plan/plan.js';
import { planText } from '../console/plan-text.js';
import { migrationText } from '../console/migration-text.js';
import { requireAllowed } from '../ledger/allowed.js';
import type { LedgerState } from '../ledger/migration.js';
import { preflight } from '../preflight/preflight.js';
import { concerns } from '../surroundings/findings.js';
import { assistBackfill } from '../stages/backfill/assist.js';
import { ensureLedger, migrate } from '../stages/migrate.js';
import { confirm } from './confirm.js';
import type { Run } from './command.js';
import type { CommandContext } from './context.js';
import type { migrateCommand } from './definitions/migrate.js';
import type { Arguments } from './read-arguments.js';
import { withDdl, withRun } from './migration.js';
import { DEFAULT_PACE, openMigration, placeOf, type OpenedMigration } from './opened.js';

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
  requireAllowed('migrate', opened.state);
  await checkGates(context, opened);
  await ask(context, opened, args);
  await withDdl(context, opened, (ddl) => ensureLedger({ database: opened.database, ddl }));
  const until = args.until ?? 'switch';
  const pace = {
    concurrency: args.concurrency ?? DEFAULT_PACE.concurrency,
    batchSize: args.batchSize ?? DEFAULT_PACE.batchSize,
    batchSeconds: args.batchTime === undefined ? DEFAULT_PACE.batchSeconds : args.batchTime / 1000,
    maxLag: args.maxLag === undefined ? null : args.maxLag / 1000,
    maxActive: args.maxActive ?? null,
  };
  const report = await withRun(
    context,
    opened,
    { command: 'migrate', pace, until, metricsFile: args.metricsFile, assist: assistBackfill },
    async (stage) => {
      const result = await migrate(stage, { until, holds });
      return { exitCode: result.exceptions > 0 ? EXIT.exceptions : EXIT.done, result };
    },
  );
  if (context.json) context.printAnswer(report);
  else context.write(migrationText(report));
  return report.exceptions > 0 ? EXIT.exceptions : EXIT.done;
};

/** Gates are for the first write: a migration under way has its triggers and its table. */
async function checkGates({ logger }: CommandContext, { database, schema, state }: OpenedMigration): Promise<void> {
  if (state !== null && state.state !== 'rolled_back') return;
  await database.readOnly(async (session) => {
    await preflight({ session, schema, host: database.where.host, afterRollback: state !== null });
    const hidden = await hiddenSessions(session);
    if (hidden > 0) logger.warn('doubt', hiddenText(hidden));
  });
}

/** Where a person can answer, the plan's numbers come first; --yes has seen them already. */
async function ask(
  context: CommandContext,
  { database, schema, state }: OpenedMigration,
  args: Arguments<typeof migrateCommand>,
): Promise<void> {
  const question = `Migrate ${placeOf(database)} as ${database.where.user}${args.until === undefined ? '' : `, up to ${args.until}`}?`;
  if (args.yes || !context.io.isTTY.stdin) {
    await confirm(context, { question, yes: args.yes });
    return;
  }
  const { plan, surroundings } = await database.readOnly(
    async (session) => {
      const holds =
        args.holds === undefined ? await holdsOfLedger(session) : await readHolds(session, args.holds, schema);
      const plan = await planMove(session, schema, {
        holds,
        batchSize: args.batchSize ?? DEFAULT_PACE.batchSize,
        listed: 0,
        beside: await besideInSnapshot(database, session),
      });
      return { plan, surroundings: await concerns(session, schema.settings) };
    },
    { isolation: 'repeatable read' },
  );
  const lines = [
    planText(plan, { brief: true, surroundings }),
    ...begunText(state),
    'Irreversible: nothing, until finalize --purge. keylift rollback takes it back.',
  ];
  await confirm(context, { question, yes: false, lines });
}

/** A migration that has begun continues where it stopped. */
const begunText = (state: LedgerState | null): string[] =>
  state?.stage == null || state.state !== 'active' ? [] : [`Begun already: it continues after ${state.stage}.`];
