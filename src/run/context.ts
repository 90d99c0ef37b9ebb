import type { Database } from '../database/connect.js';
import type { Run } from '../ledger/runs.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { DdlRunner } from './ddl.js';
import type { RunListener } from './events.js';

export interface StageOptions {
  concurrency: number;
  /** Keys in a batch at most. */
  batchSize: number;
  /** How long a batch should take, in seconds. */
  batchSeconds: number;
  /** The run waits while a replica is more seconds behind; null: no limit. */
  maxLag: number | null;
  /** The run waits while more other sessions are active; null: no limit. */
  maxActive: number | null;
  /** A query of the operator; the run waits while it answers with a number above 0. */
  throttleQuery: string | null;
  /** A URL of the operator; the run waits while it answers with another status than 200. */
  throttleUrl: string | null;
  /** The run slows down, then waits, while key lookups take longer, in seconds. */
  maxLatency: number | null;
}

/** Options that the operator does not set. */
export const DEFAULT_PACE: StageOptions = {
  concurrency: 2,
  batchSize: 200_000,
  batchSeconds: 0.5,
  maxLag: null,
  maxActive: null,
  throttleQuery: null,
  throttleUrl: null,
  maxLatency: null,
};

/** What every stage works with. */
export interface StageContext {
  /**
   * Each transaction checks that the run has its lease, and is tried again when another session is in the way. After a
   * stop, or after the lease is lost, none begins.
   */
  database: Database;
  /** For connections apart from the database's pool. */
  url: string;
  schema: MappedSchema;
  ddl: DdlRunner;
  run: Run;
  /** This run helped another one before it led: it need not repeat what that one finished. */
  assisted: boolean;
  options: StageOptions;
  emit: RunListener;
  /** Aborts when the operator asks to stop, and when the lease is lost. */
  stop: AbortSignal;
}
