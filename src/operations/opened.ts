import { ALL_STEPS } from '../../migrations/index.js';
import { version } from '../config/package-root.js';
import type { Settings } from '../config/settings.js';
import type { Database, OpenAt, OpenOptions } from '../database/connect.js';
import { withSearchPath } from '../database/with-search-path.js';
import { readInstalled, type Installed } from '../ledger/installed.js';
import { refuseLaterVersion } from '../ledger/later-version.js';
import { requireSettings } from '../ledger/migration.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { inspectMapping } from '../mapping/fit.js';

/** Connects to the database of the operation, or to `url`. @throws `database_url_missing` */
export type OpenDatabase = (options?: OpenOptions & { url?: string }) => Promise<Database>;

/** What opening a database with its mapping needs. */
export interface OpeningContext {
  settings: Settings;
  /** The file of the settings; undefined where they come from elsewhere. */
  configFile: string | undefined;
  openDatabase: OpenDatabase;
}

/** The operator's database with the mapping found to fit it. */
export interface Opened {
  database: Database;
  schema: MappedSchema;
}

/** Opens another database than that of the operation in the same way. */
export const openWith =
  ({ openDatabase }: Pick<OpeningContext, 'openDatabase'>): OpenAt =>
  (url, options) =>
    openDatabase({ ...options, url });

/**
 * Connects and reads the mapped schema.
 *
 * @throws `ledger_newer`; `mapping_missing` where a mapped table or column is not there.
 */
export async function openMapped(context: OpeningContext): Promise<Opened> {
  const database = await context.openDatabase();
  const schema = await database.readOnly(async (session) => {
    await refuseLaterVersion(session, { version: version(), steps: ALL_STEPS });
    return inspectMapping(session, context);
  });
  return { database: withSearchPath(database, schema.searchPath), schema };
}

/** The operator's database, and what keylift had installed there when the operation began. */
export interface OpenedMigration extends Opened {
  installed: Installed;
}

/** Like `openMapped`, for operations on a migration: it must be this configuration's, also after a rollback. */
export async function openMigration(context: OpeningContext): Promise<OpenedMigration> {
  const opened = await openMapped(context);
  const installed = await opened.database.readOnly((session) => readInstalled(session, context.settings));
  if (installed.state !== null) requireSettings(installed.state, context.settings);
  return { ...opened, installed };
}

/** `shop on db.example:5432`. */
export const placeOf = ({ where: { database, host, port } }: Database): string =>
  `${database} on ${host}:${String(port)}`;
