import type { Knex } from 'knex';
import type { Statement } from '../src/database/sql.js';
import { noteStatement } from '../src/database/statement.js';
import { allDone } from '../src/database/together.js';
import type { IndexBuild } from '../src/mapping/indexes.js';
import type { MappedSchema } from '../src/mapping/inspect.js';

/** What a migration knows of the operator's schema. */
export type MigrationContext = MappedSchema;

type Statements = (schema: MigrationContext) => readonly Statement[];

/** One step of DDL. `up` and `down` are each safe to run again after an interruption. */
export interface Migration {
  name: string;
  /** What `up` and `down` run, in order. */
  statements: { up: Statements; down: Statements };
  up: (knex: Knex, context: MigrationContext) => Promise<void>;
  down: (knex: Knex, context: MigrationContext) => Promise<void>;
  /** False for what PostgreSQL refuses inside a transaction (CREATE INDEX CONCURRENTLY). */
  transaction?: boolean;
}

/** A step that runs its statements: in one transaction all at once, else one by one. */
export function step(definition: { name: string; transaction?: false; up: Statements; down: Statements }): Migration {
  const { name, transaction = true, up, down } = definition;
  const run = transaction ? runTogether : runOneByOne;
  return {
    name,
    statements: { up, down },
    up: (knex, context) => run(knex, up(context)),
    down: (knex, context) => run(knex, down(context)),
    ...(transaction ? {} : { transaction }),
  };
}

/** A step that builds indexes: in several sessions at once, or CONCURRENTLY where the query finds a row. */
export function indexStep(definition: {
  name: string;
  concurrentlyWhere: (schema: MigrationContext) => string;
  up: (schema: MigrationContext) => IndexBuild;
  down: Statements;
}): Migration {
  const { name, concurrentlyWhere, up, down } = definition;
  return {
    name,
    transaction: false,
    statements: {
      up: (context) => [
        { title: 'can another role write to the new table?', text: concurrentlyWhere(context) },
        ...retitled('where none can', up(context).lanes.flat()),
        ...retitled('where one can', up(context).concurrently),
      ],
      down,
    },
    up: async (knex, context) => {
      const { lanes, concurrently } = up(context);
      const { rows } = await execute(knex, concurrentlyWhere(context));
      if (rows.length > 0) await runOneByOne(knex, concurrently);
      else await allDone(lanes.map((lane) => runOneByOne(knex, lane)));
    },
    down: (knex, context) => runOneByOne(knex, down(context)),
  };
}

const retitled = (when: string, statements: readonly Statement[]): Statement[] =>
  statements.map((statement) => ({ ...statement, title: `${when}: ${statement.title}` }));

async function runTogether(knex: Knex, statements: readonly Statement[]): Promise<void> {
  if (statements.length > 0) await execute(knex, statements.map(({ text }) => text).join('\n\n'));
}

async function runOneByOne(knex: Knex, statements: readonly Statement[]): Promise<void> {
  for (const { text, condition } of statements) {
    if (condition === undefined || (await applies(knex, condition))) await execute(knex, text);
  }
}

async function applies(knex: Knex, { query, runs }: NonNullable<Statement['condition']>): Promise<boolean> {
  const { rows } = await execute(knex, query);
  return rows.length > 0 === (runs === 'where it finds a row');
}

/** Runs SQL text as it is: Knex would take a `?` in an operator's expression (a jsonb operator) for a binding. */
async function execute(knex: Knex, sql: string): Promise<{ rows: unknown[] }> {
  try {
    return await knex.raw<{ rows: unknown[] }>(sql.replaceAll('?', '\\?'));
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
