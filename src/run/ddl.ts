import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Wait } from '../database/waiting.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import { vacuumInTheWay, waitFor } from '../database/autovacuum.js';
import { beside } from '../database/beside.js';
import { retry } from '../database/retry.js';
import { IDLE_TIMEOUT_MS } from '../database/scopes.js';
import { liftTransactionTimeout } from '../database/transaction-timeout.js';
import { readAddress } from '../database/address.js';
import { connectionLost } from '../database/failures.js';
import { isConnectionLost, isTimeout, SQLSTATE, sqlStateOf } from '../database/sqlstate.js';
import type { Migration } from '../../migrations/context.js';
import { nameStatement } from '../database/statement.js';
import { DDL_APPLICATION, openKnex } from './ddl-knex.js';
import { prepareSession, type DdlConnection } from './ddl-session.js';
import { cancelSessions, watchWaiting } from './ddl-watch.js';
import type { MappedSchema } from '../mapping/inspect.js';

/**
 * How long one try may stand in the queue for a lock, and with it everybody behind: short, and tried again. Half of the
 * deadlock detector's second: a gateway that reads both tables while a step locks both must never be the one to die.
 */
const LOCK_TIMEOUT_MS = 500;
const LOCK_TRIES = 60;
/** For a look at who is in the way, between two tries. */
const LOOK_WITHIN_MS = 5_000;

/** For the server to hang up when all is done; one that says nothing more must not keep the process. */
const LEAVE_WITHIN_MS = 2_000;

const WORTH_ANOTHER_TRY = new Set<string>([
  SQLSTATE.lockNotAvailable,
  SQLSTATE.deadlock,
  SQLSTATE.serializationFailure,
]);

export interface DdlOptions {
  url: string;
  schema: MappedSchema;
  /** Told that a lock could not be had and a step will be tried again, and whom it waits for; null: it goes on. */
  onWait?: (wait: Wait | null) => void;
  stop?: AbortSignal;
}

/** Runs DDL steps through Knex, one at a time, each retried while a lock cannot be had in time. */
export class DdlRunner {
  private opened: Promise<Knex> | undefined;
  /** Nobody else's sessions have this name, so that what they do can be watched and cancelled. */
  private readonly application = `${DDL_APPLICATION} ${randomUUID().slice(0, 8)}`;
  private readonly connections = new Set<DdlConnection>();
  private lost = false;
  private guard: () => Promise<void> = () => Promise.resolve();
  private prepared = false;
  private lockTimeoutMs = LOCK_TIMEOUT_MS;

  constructor(private readonly options: DdlOptions) {}

  /** Asked before every step, in a session of its own; what it throws keeps the step from being run. */
  guardWith(guard: () => Promise<void>): void {
    this.guard = guard;
  }

  async up(steps: readonly Migration[]): Promise<void> {
    const knex = await this.telling(() => this.prepare());
    for (const step of steps)
      await this.attempt(step, () => knex.migrate.up({ name: step.name, ...this.bounded(step) }));
  }

  /** Takes steps back, last first; steps that were never run are passed over, but for what they may have left behind. */
  async down(steps: readonly Migration[]): Promise<void> {
    const knex = await this.telling(() => this.prepare());
    for (const step of [...steps].reverse()) {
      const done = await this.completed();
      if (done.has(step.name))
        await this.attempt(step, () => knex.migrate.down({ name: step.name, ...this.bounded(step) }));
      // A build that was cut off may have left an index that nobody recorded.
      else if (step.transaction === false) await this.attempt(step, () => step.down(knex, this.options.schema));
    }
  }

  async completed(): Promise<Set<string>> {
    const knex = await this.open();
    const { rows } = await this.telling(() =>
      knex.raw<{ rows: { name: string }[] }>(`SELECT name FROM keylift.knex_migrations`),
    );
    return new Set(rows.map((row) => row.name));
  }

  /** Drops the connection, whatever it is waiting for: what it was asked for ends as a lost connection does. */
  abandon(): void {
    for (const connection of this.connections) connection.connection.stream.destroy();
  }

  async close(): Promise<void> {
    const knex = await this.opened;
    const late = setTimeout(() => {
      this.abandon();
    }, LEAVE_WITHIN_MS);
    await knex?.destroy();
    clearTimeout(late);
  }

  private open(): Promise<Knex> {
    const {
      application,
      options: {
        schema: { searchPath },
      },
    } = this;
    return (this.opened ??= openKnex(this.options, async (connection) => {
      this.watch(connection);
      await prepareSession(connection, { application, searchPath });
    }));
  }

  private watch(connection: DdlConnection): void {
    this.connections.add(connection);
    // pg has no code for "terminated unexpectedly"; its error event is what tells.
    connection.on('error', () => {
      this.lost = true;
    });
    connection.on('end', () => {
      this.connections.delete(connection);
    });
  }

  /** Names a lost connection as such. */
  private async telling<T>(work: () => Promise<T>): Promise<T> {
    this.lost = false;
    try {
      return await work();
    } catch (error) {
      this.prepared = false;
      const unreachable = this.lost || isConnectionLost(error) || (error as Error).name === 'KnexTimeoutError';
      throw unreachable ? connectionLost(error, readAddress(this.options.url)) : error;
    }
  }

  /** We hold the lease, so a lock row that a killed process left behind is nobody's. */
  private async prepare(): Promise<Knex> {
    const knex = await this.open();
    if (this.prepared) return knex;
    await knex.raw('CREATE SCHEMA IF NOT EXISTS keylift');
    await knex.migrate.forceFreeMigrationsLock();
    await knex.migrate.list();
    this.prepared = true;
    return knex;
  }

  private bounded(step: Migration): Knex.MigratorConfig {
    if (step.transaction === false) return {};
    return {
      beforeEach: async (knexOrTrx: Knex | Knex.Transaction) => {
        await knexOrTrx.raw(`SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE; SET LOCAL lock_timeout = ${String(this.lockTimeoutMs)}; SET LOCAL statement_timeout = 0;
          SET LOCAL idle_in_transaction_session_timeout = ${String(IDLE_TIMEOUT_MS)};
          SET LOCAL search_path = ${this.options.schema.searchPath}; ${liftTransactionTimeout('transaction')}`);
      },
    } as Knex.MigratorConfig;
  }

  /** How long the next try may wait: as ever, or until PostgreSQL has had an autovacuum give way, which it does not before. */
  private async longEnough(): Promise<number> {
    const {
      url,
      schema: { legacy: l },
      onWait,
    } = this.options;
    const vacuum = await beside(url, { application: 'keylift-watch', timeoutMs: LOOK_WITHIN_MS }, (client) =>
      vacuumInTheWay(client, [l.keys, l.apis, l.accounts, l.target]),
    ).catch(() => null);
    if (vacuum === null) return LOCK_TIMEOUT_MS;
    onWait?.(waitFor(vacuum));
    return Math.max(LOCK_TIMEOUT_MS, vacuum.outlastMs);
  }

  private async attempt(step: Migration, run: () => Promise<unknown>): Promise<void> {
    const { stop } = this.options;
    // A step that waits for a lock, or builds an index, would make the operator's stop wait with it.
    const cancel = (): void => {
      void cancelSessions(this.options.url, this.application);
    };
    const endWatch = watchWaiting({
      url: this.options.url,
      application: this.application,
      onWait: (wait) => this.options.onWait?.(wait),
    });
    stop?.addEventListener('abort', cancel, { once: true });
    try {
      stop?.throwIfAborted();
      await this.guard();
      await retry(
        async (attempt) => {
          this.lockTimeoutMs = attempt === 1 ? LOCK_TIMEOUT_MS : await this.longEnough();
          await this.telling(run);
        },
        {
          attempts: LOCK_TRIES,
          baseMs: 100,
          maxMs: 5_000,
          when: (error) => stop?.aborted !== true && WORTH_ANOTHER_TRY.has(sqlStateOf(error) ?? ''),
          onRetry: ({ error }) =>
            this.options.onWait?.({
              kind: 'lock',
              text: `another session holds a lock that step ${step.name} needs`,
              sqlstate: sqlStateOf(error),
            }),
        },
      );
    } catch (error) {
      if (WORTH_ANOTHER_TRY.has(sqlStateOf(error) ?? '') || isTimeout(error)) stop?.throwIfAborted();
      nameStatement(error, `the step ${step.name}`);
      throw isTimeout(error) ? cutOff(step, error) : error;
    } finally {
      endWatch();
      this.options.onWait?.(null);
      stop?.removeEventListener('abort', cancel);
    }
  }
}

/** Nobody asked us to stop: somebody ended the statement, or a limit that could not be lifted. */
const cutOff = (step: Migration, cause: unknown): KeyliftError =>
  keyliftError('step_cut_off', {
    message: `the step ${step.name} was cut off by a statement_timeout, or a person cancelled it`,
    facts: { step: step.name, sqlstate: sqlStateOf(cause) },
    cause,
  });
