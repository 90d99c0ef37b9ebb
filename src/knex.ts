import type { Knex } from 'knex';
import { MIGRATION_TABLES } from '../migrations/index.js';
import { configurationFor, guardedSource, Refusal, type NamedDatabase } from '../migrations/knexfile-source.js';
import { checkOptions } from './library/check-options.js';
import { settingsOf } from './library/configuration.js';
import { urlOf } from './library/connection.js';
import type { CommonOptions } from './library/options.js';

export type KnexOptions = Pick<CommonOptions, 'configuration' | 'connection'>;

/** The table of Knex in which keylift records its steps, apart from the table of the project. */
export const migrationTables: Readonly<{ tableName: string; schemaName: string }> = MIGRATION_TABLES;

/**
 * keylift's steps of DDL as a migration source for Knex. Use it with `migrationTables`, so that the project's own table
 * does not list them. Knex lists the steps and refuses to run them: `keylift migrate` runs each in its stage.
 */
export const migrationSource = (options?: KnexOptions): Knex.MigrationSource<unknown> =>
  guardedSource(namedBy(options));

/**
 * A whole environment for a knexfile: the migration source, its table, and the connection. Neither a file nor the
 * database is read before Knex needs it, so that the other environments of the knexfile work without them.
 */
export const knexConfiguration = (options?: KnexOptions): Knex.Config => configurationFor(namedBy(options));

function namedBy(options: KnexOptions = {}): NamedDatabase {
  checkOptions('keylift/knex', options, []);
  return { url: () => requireUrl(options), settings: async () => (await settingsOf(options)).settings };
}

function requireUrl({ connection }: KnexOptions): string {
  const url = urlOf(connection, process.env);
  if (url !== undefined) return url;
  throw new Refusal('no database is named', 'Pass connection, or set DATABASE_URL.');
}
