import type { Knex } from 'knex';
import { MIGRATION_TABLES, migrationSource } from '../../migrations/index.js';
import { tellApart } from '../../migrations/context.js';
import { KEEP_ALIVE } from '../database/keep-alive.js';
import type { MappedSchema } from '../mapping/inspect.js';
import type { DdlConnection } from './ddl-session.js';

export const DDL_APPLICATION = 'keylift-ddl';

const SILENT = { warn: () => undefined, error: () => undefined, debug: () => undefined, deprecate: () => undefined };

/** Loads Knex for the first step: a process without DDL saves a sixth of its memory. */
export async function openKnex(
  { url, schema }: { url: string; schema: MappedSchema },
  onConnection: (connection: DdlConnection) => Promise<void>,
): Promise<Knex> {
  const { default: knexFactory } = await import('knex');
  const knex = knexFactory({
    client: 'pg',
    compileSqlOnError: false,
    connection: { connectionString: url, application_name: DDL_APPLICATION, ...KEEP_ALIVE } as Knex.PgConnectionConfig,
    pool: {
      min: 0,
      max: 1,
      afterCreate: (connection: DdlConnection, done: (error: Error | null, connection: unknown) => void) => {
        onConnection(connection).then(
          () => {
            done(null, connection);
          },
          (error: unknown) => {
            done(error as Error, connection);
          },
        );
      },
    },
    log: SILENT,
    migrations: { ...MIGRATION_TABLES, migrationSource: migrationSource(() => Promise.resolve(schema)) },
  });
  knex.on('query-error', (error: unknown, { sql }: { sql: string }) => {
    tellApart(error, sql);
  });
  return knex;
}
