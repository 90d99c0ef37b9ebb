import type { Knex } from 'knex';
import { noteStatement } from '../src/database/statement.js';
import type { MappedSchema } from '../src/mapping/inspect.js';

/** What a migration knows of the operator's schema. */
export type MigrationContext = MappedSchema;

/** One step of DDL. `up` and `down` are each safe to run again after an interruption. */
export interface Migration {
  name: string;
  up: (knex: Knex, context: MigrationContext) => Promise<void>;
  down: (knex: Knex, context: MigrationContext) => Promise<void>;
  /** False for what PostgreSQL refuses inside a transaction (CREATE INDEX CONCURRENTLY). */
  transaction?: boolean;
}

/** Runs SQL text as it is: Knex would take a `?` in an operator's expression (a jsonb operator) for a binding. */
export async function execute(knex: Knex, sql: string): Promise<void> {
  try {
    await knex.raw(sql.replaceAll('?', '\\?'));
  } catch (error) {
    tellApart(error, sql);
    throw error;
  }
}

/** Knex puts the whole statement before the server's sentence: here each goes to its own place. */
export function tellApart(error: unknown, sql: string): void {
  if (error instanceof Error && error.message.startsWith(sql))
    error.message = error.message.slice(sql.length).replace(/^ - /, '');
  noteStatement(error, sql);
}
