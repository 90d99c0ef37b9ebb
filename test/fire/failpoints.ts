import { AsyncLocalStorage } from 'node:async_hooks';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { ALL_STEPS } from '../../migrations/index.js';
import type { Database } from '../../src/database/connect.js';

/** Told of each failpoint as it is reached; nothing goes on before it resolves. */
export type Reached = (failpoint: string, client?: pg.Client) => Promise<void>;

/** Names of the places that open a scope, by `src/stages/migrate.js:46`. */
export type Sites = Readonly<Record<string, string>>;

/** A site may be behind several scopes (retry, fence, stop, search path), more than the ten calls that V8 records. */
Error.stackTraceLimit = 50;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RECORD = /^(insert into|delete from) "keylift"\."knex_migrations"/i;

/** Whose statements these are: a site's transaction, a step of DDL. */
const whose = new AsyncLocalStorage<{ name: string; step: boolean } | undefined>();

/** Tries a transaction again, and is called by its site only the first time: a stack does not lead back over a promise that was handed on. */
const AGAIN = 'src/database/with-retry.js:';
const firstTry = new AsyncLocalStorage<string | undefined>();

/**
 * Puts the failpoints around the program, from outside: around the scopes of its database, the steps of DDL, and the
 * driver's statements. The program knows nothing of it.
 */
export function placeFailpoints({
  sites,
  reached,
}: {
  sites: Sites;
  reached: Reached;
}): (database: Database) => Database {
  watchSteps(reached);
  watchDriver(reached);
  return (database) => watchScopes(database, { sites, reached });
}

function watchScopes(database: Database, { sites, reached }: { sites: Sites; reached: Reached }): Database {
  const caller = (): string | undefined => {
    const holder: { stack?: string } = {};
    Error.captureStackTrace(holder);
    const places = (holder.stack ?? '').split('\n').map(placeOf);
    const name = places.map((place) => sites[place]).find((found) => found !== undefined);
    if (name !== undefined) firstTry.enterWith(name);
    return name ?? (places.some((place) => place.startsWith(AGAIN)) ? firstTry.getStore() : undefined);
  };
  const named = <T>(name: string | undefined, fn: () => Promise<T>): Promise<T> =>
    whose.run(name === undefined ? undefined : { name, step: false }, fn);
  return {
    ...database,
    transaction: (fn, options) => named(caller(), () => database.transaction(fn, options)),
    readOnly: (fn, options) => named(undefined, () => database.readOnly(fn, options)),
    withSession: async (fn) => {
      const name = caller();
      if (name !== undefined) await reached(`${name}: before`);
      const result = await named(undefined, () => database.withSession(fn));
      if (name !== undefined) await reached(`${name}: after`);
      return result;
    },
  };
}

/** File and line of a stack's line. */
function placeOf(line: string): string {
  const [, file, at] = /\(?((?:file:\/\/)?\/[^()]+?):(\d+):\d+\)?$/.exec(line) ?? [];
  return file === undefined ? '' : `${path.relative(ROOT, file.replace(/^file:\/\//, ''))}:${at!}`;
}

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
    return owner?.step === true ? { before: `${owner.name}: while PostgreSQL works` } : undefined;
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
