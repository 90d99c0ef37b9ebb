import { AsyncLocalStorage } from 'node:async_hooks';
import pg from 'pg';
import { ALL_STEPS } from '../../migrations/index.js';
import type { Database } from '../../src/database/connect.js';

/** Called with each failpoint as it is reached; the program continues when it resolves. */
export type Reached = (failpoint: string, client?: pg.Client) => Promise<void>;

const RECORD = /^(insert into|delete from) "keylift"\."knex_migrations"/i;

/** Whose statements these are: a transaction's of the program, or a step's of DDL. */
const whose = new AsyncLocalStorage<{ name: string; step: boolean } | undefined>();

/**
 * Puts the failpoints around the program, from outside: around the scopes of its database, the steps of DDL, and the
 * driver's statements. The program does not know of them.
 */
export function placeFailpoints(reached: Reached): (database: Database) => Database {
  watchSteps(reached);
  watchDriver(reached);
  return (database) => watchScopes(database, reached);
}

const watchScopes = (database: Database, reached: Reached): Database => ({
  ...database,
  transaction: (fn, options) => whose.run({ name: options.name, step: false }, () => database.transaction(fn, options)),
  readOnly: (fn, options) => whose.run(undefined, () => database.readOnly(fn, options)),
  withSession: async (fn, options) => {
    await reached(`${options.name}: before`);
    const result = await whose.run(undefined, () => database.withSession(fn, options));
    await reached(`${options.name}: after`);
    return result;
  },
});

function watchSteps(reached: Reached): void {
  for (const step of ALL_STEPS) {
    for (const way of ['up', 'down'] as const) {
      const run = step[way];
      const name = `${step.name} ${way}`;
      step[way] = async (knex, context) => {
        await reached(`${name}: before it begins`);
        await whose.run({ name, step: true }, () => run(knex, context));
        if (step.transaction === false) await reached(`${name}: before it is recorded`);
        lastStep = name;
      };
    }
  }
}

/** The step whose work Knex is about to commit or to record. */
let lastStep: string | undefined;

function watchDriver(reached: Reached): void {
  const send = pg.Client.prototype.query as unknown as (this: pg.Client, ...args: unknown[]) => void;
  const replaced = function (this: pg.Client, ...args: unknown[]): unknown {
    const around = pointsAround(this, textOf(args[0]));
    if (around === undefined) return send.apply(this, args);
    const callback = args.find((arg) => typeof arg === 'function') as
      ((error: unknown, result?: unknown) => void) | undefined;
    const sent = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const values = args.slice(0, 2).filter((arg) => arg !== undefined && typeof arg !== 'function');
        send.call(this, ...values, (error: unknown, result: unknown) => {
          if (error) reject(error as Error);
          else resolve(result);
        });
      });
    const done = passing({ client: this, around, sent, reached });
    if (callback === undefined) return done;
    done.then((result) => {
      callback(null, result);
    }, callback);
    return undefined;
  };
  pg.Client.prototype.query = replaced as typeof pg.Client.prototype.query;
}

interface Around {
  before?: string;
  after?: string;
}

async function passing({
  client,
  around,
  sent,
  reached,
}: {
  client: pg.Client;
  around: Around;
  sent: () => Promise<unknown>;
  reached: Reached;
}): Promise<unknown> {
  if (around.before !== undefined) await reached(around.before, client);
  const result = await sent();
  if (around.after !== undefined) await reached(around.after, client);
  return result;
}

const textOf = (query: unknown): string =>
  typeof query === 'string' ? query : ((query as { text?: string }).text ?? '');

/** The failpoints before and after one statement, if it is one that changes hands. */
function pointsAround(client: pg.Client, text: string): Around | undefined {
  const owner = whose.getStore();
  if (/\bCREATE (UNIQUE )?INDEX\b|\bCONCURRENTLY\b/.test(text))
    return owner?.step === true && isConcurrent(owner.name)
      ? { before: `${owner.name}: while PostgreSQL works` }
      : undefined;
  const isDdl =
    (client as unknown as { connectionParameters: { application_name: string } }).connectionParameters
      .application_name === 'keylift-ddl';
  if (/^COMMIT;?$/.test(text)) {
    const name =
      owner?.name ?? (isDdl ? ((isConcurrent(lastStep) ? undefined : takeStep()) ?? 'knex lock') : undefined);
    return name === undefined ? undefined : { before: `${name}: before commit`, after: `${name}: after commit` };
  }
  return isDdl && RECORD.test(text) && owner === undefined && isConcurrent(lastStep)
    ? { after: `${takeStep()!}: after it is recorded` }
    : undefined;
}

const isConcurrent = (name: string | undefined): boolean =>
  ALL_STEPS.some((step) => step.transaction === false && name?.startsWith(`${step.name} `) === true);

function takeStep(): string | undefined {
  const name = lastStep;
  lastStep = undefined;
  return name;
}
