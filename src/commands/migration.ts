import { version } from '../config/package-root.js';
import { patient } from '../database/patient.js';
import { sqlStateOf } from '../database/sqlstate.js';
import { fenced, requireLease } from '../run/fence.js';
import { underLease } from '../run/lease.js';
import { throughLosses } from '../run/reconnect.js';
import type { Run, RunFacts, RunPace } from '../ledger/runs.js';
import type { StageName } from '../ledger/states.js';
import { Waits } from '../run/waits.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { StageContext, StageOptions } from '../stages/context.js';
import { DdlRunner } from '../run/ddl.js';
import { both, UNTOLD, type Progress } from '../stages/progress.js';
import { readStatus } from '../status/status.js';
import type { LivePicture } from '../console/live.js';
import type { CommandContext } from './context.js';
import { keepingMetrics } from './metrics.js';
import { DEFAULT_PACE, placeOf, type Opened } from './opened.js';
import { progressOn } from './progress.js';

export interface Work {
  command: string;
  pace?: Partial<StageOptions>;
  /** The last stage it goes through; a command that goes through stages is shown as a picture where there is a terminal. */
  until?: StageName;
  /** Kept up to date while the run is on. */
  metricsFile?: string | undefined;
  /** One turn of help for a run that leads elsewhere; without it a second run is refused. */
  assist?: (stage: StageContext) => Promise<void>;
}

/**
 * Runs `fn` as this operator's one run: with the DDL runner, the lease, and the operator's stop signal. A lost connection
 * is waited out for a while: `fn` is called again, and goes on where the ledger stands.
 */
export async function withRun<T>(context: CommandContext, opened: Opened, work: Work, fn: StageWork<T>): Promise<T> {
  return keepingMetrics(context, { ...opened, file: work.metricsFile }, () => runUnderLease(context, opened, work, fn));
}

type StageWork<T> = (stage: StageContext) => Promise<{ exitCode: number; result: T }>;

async function runUnderLease<T>(
  context: CommandContext,
  { database, schema }: Opened,
  work: Work,
  fn: StageWork<T>,
): Promise<T> {
  const options = { ...DEFAULT_PACE, ...work.pace };
  const facts: RunFacts = { command: work.command, version: version(), pace: paceOf(options, work.until) };
  const picture =
    work.until === undefined || context.quiet ? undefined : await beginPicture(context, { database, schema });
  const noted: { waits?: Waits } = {};
  const progress = both(picture?.progress ?? progressOn(context), {
    ...UNTOLD,
    waiting: (wait) => {
      noted.waits?.tell(wait);
    },
  });
  const ran = withDdl(context, { schema, progress }, (ddl) => {
    const stage = (run: Run, lost: AbortSignal, assisted = false): StageContext => {
      const stop = AbortSignal.any([context.stop, lost]);
      const patiently = patient(database, {
        stop,
        onWait: (reason, sqlstate) => {
          progress.retry({ text: `waiting: ${reason}`, reason: 'again', sqlstate });
        },
      });
      ddl.guardWith(() => patiently.readOnly((session) => requireLease(session, run)));
      if (noted.waits === undefined) progress.run({ runId: run.runId, command: work.command });
      noted.waits ??= new Waits({ database: fenced(database, run), run });
      return { database: fenced(patiently, run), schema, ddl, run, assisted, options, progress, stop };
    };
    const { assist } = work;
    return underLease(
      database,
      {
        facts,
        stop: context.stop,
        onSilence: () => {
          ddl.abandon();
        },
        ...(assist === undefined ? {} : { assist: (run, lost) => assist(stage(run, lost)) }),
      },
      ({ run, lost, assisted }) =>
        throughLosses(() => untilNoted(fn(stage(run, lost, assisted)), noted.waits!), {
          stop: AbortSignal.any([context.stop, lost]),
          onLoss: (error) => {
            progress.retry({
              text: 'waiting: the connection was lost; trying again',
              reason: 'reconnect',
              sqlstate: sqlStateOf((error as Error).cause),
            });
          },
        }),
    );
  });
  return ran.finally(() => picture?.end());
}

/** Whatever it waited for when it ended is written down, if it can be, before the run's entry is closed. */
async function untilNoted<T>(work: Promise<T>, waits: Waits): Promise<T> {
  const answer = await work.catch(async (error: unknown) => {
    waits.tell(null);
    await waits.settled().catch(() => undefined);
    throw error;
  });
  waits.tell(null);
  await waits.settled();
  return answer;
}

const paceOf = ({ concurrency, batchSeconds, maxLag }: StageOptions, until: StageName | undefined): RunPace => ({
  until: until ?? null,
  concurrency,
  batch_time: batchSeconds,
  max_lag: maxLag,
});

/** A picture where the terminal can show one; the log file is told as ever. */
async function beginPicture(context: CommandContext, { database, schema }: Opened): Promise<LivePicture | undefined> {
  const { paintRun } = await import('../console/live.js');
  return paintRun({
    terminal: context.terminal,
    place: placeOf(database),
    read: () => database.readOnly((session) => readStatus(session, schema)),
    log: progressOn({ logger: context.fileLogger, fileLogger: context.fileLogger }),
  });
}

/** A DDL runner for the time of `fn`. */
export async function withDdl<T>(
  context: CommandContext,
  { schema, progress = progressOn(context) }: { schema: MappedSchema; progress?: Progress },
  fn: (ddl: DdlRunner) => Promise<T>,
): Promise<T> {
  const ddl = new DdlRunner({ url: context.databaseUrl!, schema, stop: context.stop, onWait: progress.waiting });
  try {
    return await fn(ddl);
  } finally {
    await ddl.close();
  }
}
