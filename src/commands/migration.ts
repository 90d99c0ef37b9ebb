import { readFileSync } from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../config/package-root.js';
import type { Database } from '../database/connect.js';
import { fenced, requireLease } from '../ledger/fence.js';
import { underLease } from '../ledger/lease.js';
import { throughLosses } from '../ledger/reconnect.js';
import type { Run, RunFacts } from '../ledger/runs.js';
import { readState, requireSettings } from '../ledger/state.js';
import type { MappedSchema } from '../legacy/inspect.js';
import { inspectMapping } from '../legacy/fit.js';
import type { StageContext, StageOptions } from '../stages/context.js';
import { DdlRunner } from '../stages/ddl.js';
import type { CommandContext } from './context.js';
import { progressOn } from './progress.js';

/** Batches at once, keys a batch at most and its time, where the operator says nothing. */
export const DEFAULT_PACE: StageOptions = { concurrency: 2, batchSize: 200_000, batchSeconds: 0.5, maxLag: null, maxActive: null };

/** The operator's database with the mapping found to fit it. */
export interface Opened {
  database: Database;
  schema: MappedSchema;
}

/** Connects and reads the mapped schema. @throws UsageError where a mapped table or column is not there. */
export async function openMapped(context: CommandContext): Promise<Opened> {
  const database = await context.openDatabase();
  const schema = await database.readOnly((session) => inspectMapping(session, context));
  return { database, schema };
}

/** Like `openMapped`, for commands that work on a migration: it must be this configuration's, also after a rollback. */
export async function openMigration(context: CommandContext): Promise<Opened> {
  const opened = await openMapped(context);
  const state = await opened.database.readOnly(readState);
  if (state !== null) requireSettings(state, context.settings);
  return opened;
}

/** The version in package.json. */
export function version(): string {
  const { version: found } = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return found;
}

export interface Work {
  command: string;
  pace?: Partial<StageOptions>;
  /** One turn of help for a run that leads elsewhere; without it a second run is refused. */
  assist?: (stage: StageContext) => Promise<void>;
}

/**
 * Runs `fn` as this operator's one run: with the DDL runner, the lease, and the operator's stop signal. A lost connection
 * is waited out for a while: `fn` is called again, and goes on where the ledger stands.
 */
export async function withRun<T>(
  context: CommandContext,
  { database, schema }: Opened,
  work: Work,
  fn: (stage: StageContext) => Promise<{ exitCode: number; result: T }>,
): Promise<T> {
  const facts: RunFacts = { command: work.command, version: version() };
  const progress = progressOn(context);
  return withDdl(context, schema, (ddl) => {
    const stage = (run: Run, lost: AbortSignal, assisted = false): StageContext => {
      ddl.guardWith(() => database.readOnly((session) => requireLease(session, run)));
      return {
        database: fenced(database, run),
        schema,
        ddl,
        run,
        assisted,
        options: { ...DEFAULT_PACE, ...work.pace },
        progress,
        stop: AbortSignal.any([context.stop, lost]),
      };
    };
    const { assist } = work;
    return underLease(
      database,
      { facts, stop: context.stop, onSilence: () => { ddl.abandon(); }, ...(assist === undefined ? {} : { assist: (run, lost) => assist(stage(run, lost)) }) },
      ({ run, lost, assisted }) => throughLosses(() => fn(stage(run, lost, assisted)), {
        stop: AbortSignal.any([context.stop, lost]),
        onLoss: () => { progress.waiting('the connection was lost; trying again'); },
      }),
    );
  });
}

/** A DDL runner for the time of `fn`. */
export async function withDdl<T>(context: CommandContext, schema: MappedSchema, fn: (ddl: DdlRunner) => Promise<T>): Promise<T> {
  const progress = progressOn(context);
  const ddl = new DdlRunner({
    url: context.databaseUrl!,
    schema,
    stop: context.stop,
    onWait: (reason) => { progress.waiting(reason); },
    onRetry: (step, attempt) => { context.logger.warn(`waiting for a lock to run ${step}`, { step, attempt }); },
  });
  try {
    return await fn(ddl);
  } finally {
    await ddl.close();
  }
}
