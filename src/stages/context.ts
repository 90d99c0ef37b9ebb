import type { Database } from '../database/connect.js';
import type { Run } from '../ledger/runs.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { DdlRunner } from '../run/ddl.js';
import type { Progress } from './progress.js';

export interface StageOptions {
  concurrency: number;
  /** Keys a batch at most. */
  batchSize: number;
  /** How long a batch should take, in seconds. */
  batchSeconds: number;
  /** Seconds a replica may be behind before the run waits; null: not asked for. */
  maxLag: number | null;
  /** Other sessions at work before the run waits; null: not asked for. */
  maxActive: number | null;
}

/** What every stage works with. `stop` asks for a clean stop: the batch under way is finished. */
export interface StageContext {
  database: Database;
  schema: MappedSchema;
  ddl: DdlRunner;
  run: Run;
  /** This run helped another one before it led: what that one finished need not be looked at again. */
  assisted: boolean;
  options: StageOptions;
  progress: Progress;
  stop: AbortSignal;
}
