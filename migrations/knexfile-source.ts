import type { Knex } from 'knex';
import { loadConfiguration } from '../src/config/load.js';
import type { Settings } from '../src/config/settings.js';
import { openDatabase } from '../src/database/connect.js';
import { createSchema } from '../src/database/rights.js';
import { describeDatabaseError } from '../src/database/describe.js';
import { inspectLegacy } from '../src/mapping/inspect.js';
import type { MigrationContext } from './context.js';
import { mayTakeAway } from './knexfile-gate.js';
import { ALL_STEPS, MIGRATION_TABLES, migrationSource } from './index.js';

/** What knex prints is `stack`; a person who is refused needs the sentence and not our files. */
export class Refusal extends Error {
  constructor(message: string, hint: string) {
    super(message);
    this.name = 'Refused';
    this.stack = `keylift: ${message}\n  ${hint}`;
  }
}

/**
 * The configuration for knex's own command line, which lists the steps: `migrate:list`. Steps are run by
 * `keylift migrate` alone, in its stages, and `keylift uninstall` removes what they created.
 *
 * @throws Refusal without a usable DATABASE_URL or config file, or where no server answers
 */
export async function knexConfiguration(env: Record<string, string | undefined>, cwd: string): Promise<Knex.Config> {
  try {
    const { settings, databaseUrl } = await loadConfiguration({ flags: {}, env, cwd });
    if (databaseUrl === undefined) {
      throw new Refusal('no database is named', 'Set DATABASE_URL to postgres://user:password@host:5432/database.');
    }
    // knex would tell of a server that is not there by a stack.
    await (await openDatabase(databaseUrl, { maxConnections: 1, applicationName: 'keylift-knex' })).close();
    return configurationFor({ url: () => databaseUrl, settings: () => Promise.resolve(settings) });
  } catch (error) {
    throw asRefusal(error);
  }
}

/** A database and the settings of its tables. Each is read when it is first needed, and may be refused then. */
export interface NamedDatabase {
  url: () => string;
  settings: () => Promise<Settings>;
}

/**
 * An environment of a knexfile that lists the steps and keeps Knex's own tables in schema `keylift`, apart from those
 * of the project. Nothing is read and no connection is made before Knex needs it.
 */
export function configurationFor(named: NamedDatabase): Knex.Config {
  return {
    client: 'pg',
    connection: () => ({ connectionString: named.url(), application_name: 'keylift-knex' }) as Knex.PgConnectionConfig,
    // Knex does not make the schema of its own tables. Asked for first: to make it takes a right that to use it does not.
    pool: {
      min: 0,
      max: 1,
      afterCreate: (connection: Connection, done: Done) => {
        connection.query(createSchema.text, (error) => {
          done(error, connection);
        });
      },
    },
    log: { warn: tellWarning },
    migrations: { ...MIGRATION_TABLES, migrationSource: guardedSource(named) },
  };
}

interface Connection {
  query: (sql: string, done: (error: Error | null) => void) => void;
}

type Done = (error: Error | null, connection: Connection) => void;

/** The error itself follows and says the same; what knex says of its lock stands nowhere else. */
function tellWarning(message: unknown): void {
  if (!/^migration (file|failed)/.test(String(message))) process.stderr.write(`${String(message)}\n`);
}

/** The operator's schema, read when a step first needs it: a list must not depend on the legacy tables. */
function contextOf({ url, settings }: NamedDatabase): () => Promise<MigrationContext> {
  let context: Promise<MigrationContext> | undefined;
  const read = async (): Promise<MigrationContext> => {
    const known = await settings();
    const database = await openDatabase(url(), { maxConnections: 1, applicationName: 'keylift-knex' });
    try {
      return await database.readOnly((session) => inspectLegacy(session, known));
    } finally {
      await database.close();
    }
  };
  return () => (context ??= read());
}

/**
 * The steps with a gate before each. The gate runs in the transaction of the step: what it saw still holds when the
 * step commits.
 */
export function guardedSource(named: NamedDatabase): Knex.MigrationSource<unknown> {
  const source = migrationSource(contextOf(named), ALL_STEPS) as Knex.MigrationSource<unknown>;
  return {
    ...source,
    // migrate:list shows what is to come by its `file`.
    getMigrations: () => Promise.resolve(ALL_STEPS.map((step) => ({ ...step, file: step.name }))),
    getMigration: async (step) => {
      const migration = (await source.getMigration(step)) as Knex.Migration & { config?: { transaction?: boolean } };
      return {
        ...migration,
        up: () => Promise.reject(runsInStages()),
        down: async (knex: Knex) => {
          const gate = {
            settings: await named.settings().catch(refuse),
            transaction: migration.config?.transaction !== false,
          };
          const refusal = await mayTakeAway(knex, gate);
          if (refusal !== null) throw new Refusal(refusal.message, refusal.hint);
          return migration.down?.(knex);
        },
      };
    },
  };
}

/** All at once would index the new table before the rows are there, and end with the steps of finalize. */
const runsInStages = (): Refusal =>
  new Refusal(
    'the steps belong to stages with work between them; knex alone cannot run them, and nothing was changed',
    'Run keylift migrate: it runs each step in its stage.',
  );

function refuse(error: unknown): never {
  throw asRefusal(error);
}

/** Any error as one that Knex prints without a stack. */
function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { message, hint = 'See runbook.md.' } = describeDatabaseError(error);
  return new Refusal(message, hint);
}
