import type { Settings } from '../config/settings.js';
import { DEFAULT_SETTINGS } from '../config/defaults.js';
import { openDatabase, type Database } from '../database/connect.js';
import { CATALOG_ALONE, pinned } from '../database/pinned.js';
import { EXIT } from '../errors/exit-codes.js';
import { patient } from '../database/patient.js';
import { fenced } from '../run/fence.js';
import { underLease } from '../run/lease.js';
import type { RunFacts } from '../ledger/runs.js';
import { inspectLegacy, type MappedSchema } from '../mapping/inspect.js';
import { NO_HOLDS, readHolds, type Holds } from '../plan/holds.js';
import { planMove, type Plan } from '../plan/plan.js';
import type { Proof } from '../proof/document.js';
import { proveAndSync } from '../stages/verify/prove.js';
import type { StageContext, StageOptions } from '../stages/context.js';
import { UNTOLD, type Progress } from '../stages/progress.js';
import { DdlRunner } from '../run/ddl.js';
import { ensureLedger, migrate, type MigrationReport } from '../stages/migrate.js';
import { rollBack, type RollbackReport } from '../stages/rollback/rollback.js';

/** keylift's main commands on a database of our own (a scratch case, the demo): no questions, no output. */
export interface Move {
  database: Database;
  plan(holdsFile?: string): Promise<Plan>;
  migrate(holdsFile?: string): Promise<MigrationReport>;
  verify(): Promise<Proof>;
  rollBack(): Promise<RollbackReport>;
}

export interface MoveOptions {
  url: string;
  /** Default: the default tables'. */
  settings?: Settings | undefined;
  /** Which version of keylift the ledger says was at work. */
  version: string;
  /** Default: none of it is told. */
  progress?: Progress;
  stop: AbortSignal;
}

/** A scratch database is small; two at once, so that a case meets what concurrency brings. */
const PACE: StageOptions = { concurrency: 2, batchSize: 20_000, batchSeconds: 0.5, maxLag: null, maxActive: null };

/** Opens the database and gives `fn` the move on it. The legacy tables must be there. */
export async function withMove<T>(options: MoveOptions, fn: (move: Move) => Promise<T>): Promise<T> {
  const settings: Settings = structuredClone(options.settings ?? DEFAULT_SETTINGS);
  const database = pinned(await openDatabase(options.url, { applicationName: 'keylift move' }), CATALOG_ALONE);
  try {
    const schema = await database.readOnly((session) => inspectLegacy(session, settings));
    return await fn(moveOn({ ...options, database: pinned(database, schema.searchPath), schema }));
  } finally {
    await database.close();
  }
}

interface Ground extends MoveOptions {
  database: Database;
  schema: MappedSchema;
}

function moveOn(ground: Ground): Move {
  const { database, schema, stop } = ground;
  return {
    database,
    plan: async (holdsFile) => {
      stop.throwIfAborted();
      return database.readOnly(
        async (session) => {
          const holds: Holds = holdsFile === undefined ? NO_HOLDS : await readHolds(session, holdsFile, schema);
          return planMove(session, schema, { holds, batchSize: PACE.batchSize });
        },
        { isolation: 'repeatable read' },
      );
    },
    migrate: async (holdsFile) => {
      stop.throwIfAborted();
      const holds =
        holdsFile === undefined ? undefined : await database.readOnly((s) => readHolds(s, holdsFile, schema));
      return underRun(ground, 'migrate', (stage) => migrate(stage, { until: 'switch', holds }));
    },
    verify: () => proveAndSync(database, schema, { stop }),
    rollBack: async () => {
      stop.throwIfAborted();
      return underRun(ground, 'rollback', rollBack);
    },
  };
}

/** As the commands do it: a DDL runner, the ledger, the lease. */
async function underRun<T>(
  { url, version, database, schema, progress, stop }: Ground,
  command: string,
  work: (stage: StageContext) => Promise<T>,
): Promise<T> {
  const ddl = new DdlRunner({ url, schema, stop });
  const facts: RunFacts = { command, version };
  try {
    await ensureLedger({ database, ddl });
    return await underLease(database, { facts, stop }, async ({ run, lost }) => ({
      exitCode: EXIT.done,
      result: await work({
        database: fenced(patient(database), run),
        schema,
        ddl,
        run,
        assisted: false,
        options: PACE,
        progress: progress ?? UNTOLD,
        stop: AbortSignal.any([stop, lost]),
      }),
    }));
  } finally {
    await ddl.close();
  }
}
