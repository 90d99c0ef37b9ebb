import { hiddenSessions, hiddenText } from '../database/hidden-sessions.js';
import { isBegun, reached, type StageName } from '../ledger/states.js';
import { readHolds } from '../plan/holds.js';
import type { Tolerance } from '../plan/saved/require.js';
import { preflight } from '../preflight/preflight.js';
import { scopeGate } from '../preflight/surroundings.js';
import { EXIT, type ExitCode } from '../errors/exit-codes.js';
import type { StageOptions } from '../run/context.js';
import { installLedger } from '../run/run.js';
import { assistBackfill } from '../stages/backfill/assist.js';
import { migrate as runStages, type MigrationReport } from '../stages/migrate.js';
import { checkQuery, requireReplica } from './check-throttle.js';
import type { OperationContext } from './context.js';
import type { Opened, OpenedMigration } from './opened.js';
import { paceOf, type PaceOptions } from './planned.js';
import { runSettings, startRun } from './start-run.js';

/** A saved plan that the database must still agree with. */
export interface PlanCheck extends PaceOptions {
  holds?: string | undefined;
  /** The file of `plan --out`. */
  plan?: string | undefined;
  tolerance?: Tolerance | undefined;
}

export interface MigrateOptions extends PlanCheck {
  /** The last stage; default `switch`. */
  until?: Exclude<StageName, 'finalize'> | undefined;
  /** The run waits while a replica is more seconds behind. */
  maxLag?: number | undefined;
  /** The run waits while more other sessions are active. */
  maxActive?: number | undefined;
  /** The run waits while this query answers with a number above 0. */
  throttleQuery?: string | undefined;
  /** The run waits while this URL answers with another status than 200. */
  throttleUrl?: string | undefined;
  /** The run slows down, then waits, while 95 of 100 key lookups take longer, in seconds. */
  maxLatency?: number | undefined;
  /** Is called after the gates and before the first write; it may throw. */
  beforeWrite?: () => Promise<void>;
}

/** Goes through the stages that are left: what `migrate --json` prints. */
export async function migrate(
  context: OperationContext,
  opened: OpenedMigration,
  options: MigrateOptions,
): Promise<MigrationReport> {
  const { holds: file, until = 'switch', beforeWrite } = options;
  const holds =
    file === undefined ? undefined : await opened.database.readOnly((s) => readHolds(s, file, opened.schema));
  await checkQuery(context.databaseUrl!, options.throttleQuery);
  if (options.maxLag !== undefined) await requireReplica(opened.database);
  await checkGates(context, opened, options);
  await checkPlan(context, opened, options);
  await beforeWrite?.();
  await installLedger(runSettings(context, opened, [context.emit]));
  return startRun(context, opened, {
    command: 'migrate',
    until,
    options: { ...paceOf(options), ...throttleOf(options) },
    work: (stage) => runStages(stage, { until, holds }),
    exitCode: migrationExit,
    assist: assistBackfill,
  });
}

const throttleOf = (options: MigrateOptions): Partial<StageOptions> => ({
  maxLag: options.maxLag ?? null,
  maxActive: options.maxActive ?? null,
  throttleQuery: options.throttleQuery ?? null,
  throttleUrl: options.throttleUrl ?? null,
  maxLatency: options.maxLatency ?? null,
});

/** Exceptions wait for a person. */
export const migrationExit = ({ exceptions }: MigrationReport): ExitCode =>
  exceptions > 0 ? EXIT.exceptions : EXIT.done;

/** Is the database still as the saved plan says? */
export async function checkPlan(
  context: OperationContext,
  opened: Opened,
  { plan: file, tolerance, holds, ...pace }: PlanCheck,
): Promise<void> {
  if (file === undefined) return;
  const { requireReviewedPlan } = await import('./reviewed.js');
  await requireReviewedPlan(context, opened, { file, tolerance, holds, pace: paceOf(pace) });
}

/**
 * Gates come before the first write only: they would refuse the triggers and the table of an active migration. One is
 * checked again before a migration that has begun switches accounts.
 */
async function checkGates(
  { emit }: OperationContext,
  { database, schema, installed }: OpenedMigration,
  { until = 'switch' }: MigrateOptions,
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
    if (hidden > 0) emit({ kind: 'doubt', text: hiddenText(hidden) });
  });
}
