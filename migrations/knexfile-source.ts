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
    return configurationFor(databaseUrl, settings);
  } catch (error) {
    throw asRefusal(error);
  }
}

function configurationFor(url: string, settings: Settings): Knex.Config {
  return {
    client: 'pg',
    connection: { connectionString: url, application_name: 'keylift-knex' } as Knex.PgConnectionConfig,
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
    migrations: { ...MIGRATION_TABLES, migrationSource: guarded(contextOf(url, settings), settings) },
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
function contextOf(url: string, settings: Settings): () => Promise<MigrationContext> {
  let context: Promise<MigrationContext> | undefined;
  const read = async (): Promise<MigrationContext> => {
    const database = await openDatabase(url, { maxConnections: 1, applicationName: 'keylift-knex' });
    try {
      return await database.readOnly((session) => inspectLegacy(session, settings));
    } finally {
      await database.close();
    }
  };
  return () => (context ??= read());
}

/** The steps with a gate before each. It stands in the step's own transaction: what it saw still holds when the step commits. */
function guarded(context: () => Promise<MigrationContext>, settings: Settings): Knex.MigrationSource<unknown> {
  const source = migrationSource(context, ALL_STEPS) as Knex.MigrationSource<unknown>;
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
          const refusal = await mayTakeAway(knex, { settings, transaction: migration.config?.transaction !== false });
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

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { message, hint = 'See runbook.md.' } = describeDatabaseError(error);
  return new Refusal(message, hint);
}
