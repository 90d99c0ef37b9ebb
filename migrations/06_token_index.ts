import { parseTableName, quoteIdentifier } from '../src/config/identifiers.js';
import { derivedName } from '../src/mapping/copy.js';
import { dropInvalidIndex } from './invalid-index.js';
import { execute, type Migration, type MigrationContext } from './context.js';

/** One index of the new table, built and dropped without locking anybody out. */
function targetIndex(options: { name: string; suffix: string; unique: boolean; columns: string }): Migration {
  const place = ({ settings }: MigrationContext): { schema: string; index: string } => {
    const { schema, name } = parseTableName(settings.target.table);
    return { schema: schema ?? 'public', index: derivedName(name, options.suffix) };
  };
  return {
    name: options.name,
    transaction: false,
    async up(knex, context) {
      await dropInvalidIndex(knex, place(context));
      await execute(
        knex,
        `CREATE ${options.unique ? 'UNIQUE ' : ''}INDEX CONCURRENTLY IF NOT EXISTS ${place(context).index}
         ON ${context.legacy.target} (${options.columns})`,
      );
    },
    async down(knex, context) {
      const { schema, index } = place(context);
      await execute(knex, `DROP INDEX CONCURRENTLY IF EXISTS ${quoteIdentifier(schema)}.${index}`);
    },
  };
}

/** Harden: one token, one account key. Built after the rows are there, which is what makes the backfill fast. */
export const tokenIndex = targetIndex({ name: '06_token_index', suffix: 'token_key', unique: true, columns: 'token' });

/** Harden: Settings lists an account's keys by creation date. */
export const settingsIndex = targetIndex({
  name: '07_settings_index',
  suffix: 'account_id_created_at',
  unique: false,
  columns: 'account_id, created_at',
});

/** Harden: what was unique among carried values stays so. */
export const carriedUniqueness: Migration = {
  name: '13_carried_uniqueness',
  transaction: false,

  async up(knex, context) {
    for (const { schema, index, unique } of carriedIndexes(context)) {
      await dropInvalidIndex(knex, { schema, index });
      await execute(
        knex,
        `CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ${index} ON ${context.legacy.target} (${unique.columns.join(', ')})
         ${unique.nullsNotDistinct ? 'NULLS NOT DISTINCT' : ''}`,
      );
    }
  },

  async down(knex, context) {
    for (const { schema, index } of carriedIndexes(context)) {
      await execute(knex, `DROP INDEX CONCURRENTLY IF EXISTS ${quoteIdentifier(schema)}.${index}`);
    }
  },
};

function carriedIndexes({
  settings,
  uniques,
}: MigrationContext): { schema: string; index: string; unique: MigrationContext['uniques'][number] }[] {
  const { schema, name } = parseTableName(settings.target.table);
  return uniques.map((unique, at) => ({
    schema: schema ?? 'public',
    index: derivedName(name, `carried_${String(at + 1)}_key`),
    unique,
  }));
}
