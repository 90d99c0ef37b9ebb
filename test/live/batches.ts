import { openDatabase, type Database } from '../../src/database/connect.js';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { endRun, enterRun, type Run } from '../../src/ledger/runs.js';
import { inspectLegacy, type MappedSchema } from '../../src/mapping/inspect.js';
import type { StageContext } from '../../src/run/context.js';
import type { BatchReport } from '../../src/run/events.js';
import { runBatch } from '../../src/stages/backfill/batch.js';
import { prepareRanges } from '../../src/stages/backfill/ranges.js';
import { NEVER } from '../../src/timing.js';
import type { TestDatabase } from '../support/database.js';

/** Waits longer than any test; in production a batch gives way after half a second. */
const PATIENT_MS = 60_000;

/** Batches of the real backfill, one at a time and patient, so that a test can halt one where it wants. */
export class Batches {
  private constructor(
    private readonly database: Database,
    private readonly schema: MappedSchema,
    private readonly run: Run,
  ) {}

  /** Cuts the ranges and judges repeated tokens, as the backfill does first. Needs expand. */
  static async prepare(db: TestDatabase, { keys = 100 }: { keys?: number } = {}): Promise<Batches> {
    const database = await openDatabase(db.url, { maxConnections: 4, applicationName: 'keylift-batches' });
    const schema = await database.readOnly((s) => inspectLegacy(s, DEFAULT_SETTINGS));
    const run = await database.transaction((s) => enterRun(s, { command: 'migrate', version: 'test' }), {
      name: 'test',
    });
    const context = {
      database,
      schema,
      run,
      assisted: false,
      options: { concurrency: 1, batchSize: keys, batchSeconds: 60, maxLag: null, maxActive: null },
      emit: () => undefined,
      stop: NEVER,
    };
    await prepareRanges(context as unknown as StageContext);
    return new Batches(database, schema, run);
  }

  /** Runs one batch over so many ranges; null where none was free. */
  next(ranges = 1): Promise<BatchReport | null> {
    return runBatch(this.database, this.schema, {
      run: this.run,
      ranges,
      statementTimeoutMs: PATIENT_MS,
      lockTimeoutMs: PATIENT_MS,
    });
  }

  async close(): Promise<void> {
    await this.database.transaction((s) => endRun(s, this.run, { exitCode: 0, result: null, errorCode: null }), {
      name: 'test',
    });
    await this.database.close();
  }
}
