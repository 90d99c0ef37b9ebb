import { ALL_STEPS } from '../../migrations/index.js';
import type { Database } from '../database/connect.js';
import { pinned } from '../database/pinned.js';
import { version } from '../config/package-root.js';
import { refuseLaterVersion } from '../ledger/later-version.js';
import { readState, requireSettings, type LedgerState } from '../ledger/migration.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { inspectMapping } from '../mapping/fit.js';
import type { StageOptions } from '../stages/context.js';
import type { CommandContext } from './context.js';

/** Batches at once, keys a batch at most and its time, where the operator says nothing. */
export const DEFAULT_PACE: StageOptions = {
  concurrency: 2,
  batchSize: 200_000,
  batchSeconds: 0.5,
  maxLag: null,
  maxActive: null,
};

/** The operator's database with the mapping found to fit it. */
export interface Opened {
  database: Database;
  schema: MappedSchema;
}

/** Connects and reads the mapped schema. @throws `ledger_newer`; `mapping_missing` where a mapped table or column is not there. */
export async function openMapped(context: CommandContext): Promise<Opened> {
  const database = await context.openDatabase();
  const schema = await database.readOnly(async (session) => {
    await refuseLaterVersion(session, { version: version(), steps: ALL_STEPS });
    return inspectMapping(session, context);
  });
  return { database: pinned(database, schema.searchPath), schema };
}

/** The operator's database, and what its ledger says; null: there is no ledger. */
export interface OpenedMigration extends Opened {
  state: LedgerState | null;
}

/** Like `openMapped`, for commands that work on a migration: it must be this configuration's, also after a rollback. */
export async function openMigration(context: CommandContext): Promise<OpenedMigration> {
  const opened = await openMapped(context);
  const state = await opened.database.readOnly(readState);
  if (state !== null) requireSettings(state, context.settings);
  return { ...opened, state };
}

/** `shop on db.example:5432`. */
export const placeOf = ({ where: { database, host, port } }: Database): string =>
  `${database} on ${host}:${String(port)}`;
