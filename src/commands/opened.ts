import { ALL_STEPS } from '../../migrations/index.js';
import { version } from '../config/package-root.js';
import type { Database, OpenAt } from '../database/connect.js';
import { withSearchPath } from '../database/with-search-path.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import { refuseLaterVersion } from '../ledger/later-version.js';
import { requireSettings } from '../ledger/migration.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { inspectMapping } from '../mapping/fit.js';
import type { CommandContext } from './context.js';

/** The operator's database with the mapping found to fit it. */
export interface Opened {
  database: Database;
  schema: MappedSchema;
}

/** Opens another database than the command's own in the same way. */
export const openWith =
  ({ openDatabase }: CommandContext): OpenAt =>
  (url, options) =>
    openDatabase({ ...options, url });

/**
 * Connects and reads the mapped schema.
 *
 * @throws `ledger_newer`; `mapping_missing` where a mapped table or column is not there.
 */
export async function openMapped(context: CommandContext): Promise<Opened> {
  const database = await context.openDatabase();
  const schema = await database.readOnly(async (session) => {
    await refuseLaterVersion(session, { version: version(), steps: ALL_STEPS });
    return inspectMapping(session, context);
  });
  return { database: withSearchPath(database, schema.searchPath), schema };
}

/** The operator's database, and what keylift had installed there when the command began. */
export interface OpenedMigration extends Opened {
  installed: Installed;
}

/** Like `openMapped`, for commands that work on a migration: it must be this configuration's, also after a rollback. */
export async function openMigration(context: CommandContext): Promise<OpenedMigration> {
  const opened = await openMapped(context);
  const installed = await opened.database.readOnly((session) => readInstalled(session, context.settings));
  if (installed.state !== null) requireSettings(installed.state, context.settings);
  return { ...opened, installed };
}

/** `shop on db.example:5432`. */
export const placeOf = ({ where: { database, host, port } }: Database): string =>
  `${database} on ${host}:${String(port)}`;
