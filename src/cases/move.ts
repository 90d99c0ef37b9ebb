import { DEFAULT_SETTINGS } from '../config/defaults.js';
import type { Settings } from '../config/settings.js';
import { openDatabase, type Database, type OpenAt } from '../database/connect.js';
import { withRetry } from '../database/with-retry.js';
import { CATALOG_ALONE, withSearchPath } from '../database/with-search-path.js';
import { withStop } from '../database/with-stop.js';
import { NO_HOLDS, type Holds } from '../ledger/holds.js';
import { readInstalled } from '../ledger/installed.js';
import { inspectLegacy, type MappedSchema } from '../mapping/inspect.js';
import { readHolds } from '../plan/holds.js';
import { planMove, type Plan } from '../plan/plan.js';
import type { Proof } from '../proof/document.js';
import { DEFAULT_PACE } from '../run/context.js';
import { toAll, waitsTo, type RunListener } from '../run/events.js';
import { installLedger, withRun, type RunSettings } from '../run/run.js';
import { migrate, type MigrationReport } from '../stages/migrate.js';
import { rollBack, type RollbackReport } from '../stages/rollback/rollback.js';
import { proveAndKeep } from '../stages/verify/prove.js';

/** keylift's main commands on a scratch database (a case, the demo): no questions, no output. */
export interface Move {
  database: Database;
  schema: MappedSchema;
  plan(holdsFile?: string): Promise<Plan>;
  migrate(holdsFile?: string): Promise<MigrationReport>;
  verify(): Promise<Proof>;
  rollBack(): Promise<RollbackReport>;
}

export interface MoveOptions {
  url: string;
  /** Opens a database that the caller can cancel. */
  open?: OpenAt | undefined;
  /** Default: those of the default tables. */
  settings?: Settings | undefined;
  listeners?: readonly RunListener[];
  stop: AbortSignal;
}

/** A scratch database is small. */
const BATCH_SIZE = 20_000;

/** Opens the database and gives `fn` the move on it. The legacy tables must be there. */
export async function withMove<T>(
  { url, open = openDatabase, settings = DEFAULT_SETTINGS, listeners = [], stop }: MoveOptions,
  fn: (move: Move) => Promise<T>,
): Promise<T> {
  const opened = withStop(await open(url, { applicationName: 'keylift move' }), stop);
  try {
    const schema = await withSearchPath(opened, CATALOG_ALONE).readOnly((session) =>
      inspectLegacy(session, structuredClone(settings)),
    );
    const database = withSearchPath(opened, schema.searchPath);
    return await fn(moveOn({ url, database, schema, stop, listeners }));
  } finally {
    await opened.close();
  }
}

function moveOn(settings: RunSettings): Move {
  const { database, schema, stop } = settings;
  const emit = toAll(settings.listeners);
  const holdsOf = (file: string): Promise<Holds> => database.readOnly((session) => readHolds(session, file, schema));
  return {
    database,
    schema,
    plan: async (holdsFile) => {
      const holds = holdsFile === undefined ? NO_HOLDS : await holdsOf(holdsFile);
      return database.readOnly(
        async (session) => {
          const installed = await readInstalled(session, schema.settings);
          return planMove(session, schema, { holds, installed, pace: { ...DEFAULT_PACE, batchSize: BATCH_SIZE } });
        },
        { isolation: 'repeatable read' },
      );
    },
    migrate: async (holdsFile) => {
      const holds = holdsFile === undefined ? undefined : await holdsOf(holdsFile);
      await installLedger(settings);
      return withRun(settings, {
        command: 'migrate',
        until: 'switch',
        options: { batchSize: BATCH_SIZE },
        work: (context) => migrate(context, { until: 'switch', holds }),
      });
    },
    verify: () => {
      const retried = withRetry(database, { stop, onWait: waitsTo(emit) });
      return proveAndKeep({ database: retried, schema, stop, emit }, { runId: null });
    },
    rollBack: () => withRun(settings, { command: 'rollback', work: (context) => rollBack(context) }),
  };
}
