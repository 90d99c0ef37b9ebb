import { randomUUID } from 'node:crypto';
import type { Knex } from 'knex';
import type { Migration } from '../../migrations/context.js';
import { readAddress } from '../database/address.js';
import { vacuumInTheWay, waitFor } from '../database/autovacuum.js';
import { cancelApplication } from '../database/cancel.js';
import { connectionLost } from '../database/failures.js';
import { POLICIES, retry } from '../database/retry.js';
import { createSchema } from '../database/rights.js';
import { IDLE_TIMEOUT_MS } from '../database/scopes.js';
import { withSeparateConnection } from '../database/separate-connection.js';
import { isConnectionLost, isTimeout, sqlStateOf } from '../database/sqlstate.js';
import { nameStatement } from '../database/statement.js';
import type { Wait } from '../database/waiting.js';
import { liftTransactionTimeout } from '../database/transaction-timeout.js';
import { EXIT } from '../errors/exit-codes.js';
import { hasExit, keyliftError, type KeyliftError } from '../errors/keylift-error.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { after, whenAborted } from '../timing.js';
import { DDL_APPLICATION, openKnex } from './ddl-knex.js';
import { ddlPath, prepareSession, type DdlConnection } from './ddl-session.js';
import { watchWaiting } from './ddl-watch.js';

const { lockTimeoutMs: LOCK_TIMEOUT_MS } = POLICIES.ddlLock;
/** For the question which autovacuum is in the way, between two tries. */
const LOOK_WITHIN_MS = 5_000;
/** A server that does not close its end by then must not keep the process. */
const LEAVE_WITHIN_MS = 2_000;

export interface DdlOptions {
  url: string;
  schema: MappedSchema;
  /** Cancels what the server is doing for a step: a step may wait for a lock, or build an index, for a long time. */
  stop: AbortSignal;
  /** Called with the session that a step waits for, and with null when the step goes on. */
  onWait: (wait: Wait | null) => void;
  /** Called before each try of a step; the step does not run when it throws. */
  guard?: () => Promise<void>;
}

/** Runs DDL steps through Knex, one after the other. A step that meets a lock is tried again. */
export class DdlRunner {
  private opened: Promise<Knex> | undefined;
  /** No other run has this name, so the sessions of this one can be watched and cancelled. */
  private readonly application = `${DDL_APPLICATION} ${randomUUID().slice(0, 8)}`;
  private readonly connections = new Set<DdlConnection>();
  private lost = false;
  private prepared = false;
  private lockTimeoutMs: number = LOCK_TIMEOUT_MS;

  constructor(private readonly options: DdlOptions) {}

  async up(steps: readonly Migration[]): Promise<void> {
    const knex = await this.call(() => this.prepare());
    for (const step of steps)
      await this.attempt(step, () => knex.migrate.up({ name: step.name, ...this.bounded(step) }));
  }

  /** Takes steps back, the last one first. Of a step that never ran it removes what an interrupted build left. */
  async down(steps: readonly Migration[]): Promise<void> {
    const knex = await this.call(() => this.prepare());
    for (const step of [...steps].reverse()) {
      const done = await this.completed();
      if (done.has(step.name))
        await this.attempt(step, () => knex.migrate.down({ name: step.name, ...this.bounded(step) }));
      // An interrupted CREATE INDEX CONCURRENTLY leaves an index that is not recorded.
      else if (step.transaction === false) await this.attempt(step, () => step.down(knex, this.options.schema));
    }
  }

  async completed(): Promise<Set<string>> {
    const knex = await this.open();
    const { rows } = await this.call(() =>
      knex.raw<{ rows: { name: string }[] }>(`SELECT name FROM keylift.knex_migrations`),
    );
    return new Set(rows.map((row) => row.name));
  }

  /** Drops the connections: the statement under way ends as with a lost connection. */
  private abandon(): void {
    for (const connection of this.connections) connection.connection.stream.destroy();
  }

  async close(): Promise<void> {
    const knex = await this.opened;
    const closed = after(LEAVE_WITHIN_MS, () => {
      this.abandon();
    });
    await knex?.destroy();
    closed();
  }

  private open(): Promise<Knex> {
    const { searchPath } = this.options.schema;
    return (this.opened ??= openKnex(this.options, async (connection) => {
      this.watch(connection);
      await prepareSession(connection, { application: this.application, searchPath });
    }));
  }

  private watch(connection: DdlConnection): void {
    this.connections.add(connection);
    // pg has no code for "terminated unexpectedly"; only its error event shows it.
    connection.on('error', () => {
      this.lost = true;
    });
    connection.on('end', () => {
      this.connections.delete(connection);
    });
  }

  /** Everything that Knex does passes here: it is cancelled at a stop, and a lost connection gets its name. */
  private async call<T>(work: () => Promise<T>): Promise<T> {
    const { url, stop } = this.options;
    stop.throwIfAborted();
    const called = whenAborted(stop, () => {
      // A server that does not answer cancels nothing.
      if (hasExit(stop.reason, EXIT.unreachable)) this.abandon();
      else void cancelApplication(url, this.application);
    });
    this.lost = false;
    try {
      return await work();
    } catch (error) {
      this.prepared = false;
      if (isTimeout(error)) stop.throwIfAborted();
      const unreachable = this.lost || isConnectionLost(error) || (error as Error).name === 'KnexTimeoutError';
      throw unreachable ? connectionLost(error, readAddress(url)) : error;
    } finally {
      called();
    }
  }

  /** This run holds the lease, so a lock row of Knex is one that a killed process left. */
  private async prepare(): Promise<Knex> {
    const knex = await this.open();
    if (this.prepared) return knex;
    await knex.raw(createSchema.text);
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
          ${ddlPath(this.options.schema, 'transaction')}; ${liftTransactionTimeout('transaction')}`);
      },
    } as Knex.MigratorConfig;
  }

  /** PostgreSQL ends an autovacuum only for a session that waits longer than usual; then the next try does. */
  private async nextLockTimeout(): Promise<number> {
    const { url, schema, onWait } = this.options;
    const { keys, apis, accounts, target } = schema.legacy;
    const vacuum = await withSeparateConnection(
      url,
      { application: 'keylift-watch', timeoutMs: LOOK_WITHIN_MS },
      (client) => vacuumInTheWay(client, [keys, apis, accounts, target]),
    ).catch(() => null);
    if (vacuum === null) return LOCK_TIMEOUT_MS;
    onWait(waitFor(vacuum));
    return Math.max(LOCK_TIMEOUT_MS, vacuum.outlastMs);
  }

  private async attempt(step: Migration, run: () => Promise<unknown>): Promise<void> {
    const { url, stop, onWait, guard } = this.options;
    const watched = watchWaiting({ url, application: this.application, onWait });
    try {
      await retry(
        async (attempt) => {
          this.lockTimeoutMs = attempt === 1 ? LOCK_TIMEOUT_MS : await this.nextLockTimeout();
          await guard?.();
          await this.call(run);
        },
        {
          policy: 'ddlLock',
          stop,
          onRetry: (error) => {
            onWait(waitForLock(step, error));
          },
        },
      );
    } catch (error) {
      nameStatement(error, `the step ${step.name}`);
      throw isTimeout(error) ? cutOff(step, error) : error;
    } finally {
      watched();
      onWait(null);
    }
  }
}

const waitForLock = (step: Migration, error: unknown): Wait => ({
  kind: 'lock',
  text: `another session holds a lock that step ${step.name} needs`,
  sqlstate: sqlStateOf(error),
});

/** The operator did not ask to stop: another session cancelled the statement, or a limit that keylift cannot lift. */
const cutOff = (step: Migration, cause: unknown): KeyliftError =>
  keyliftError('step_cut_off', {
    message: `the step ${step.name} was cut off by a statement_timeout, or a person cancelled it`,
    facts: { step: step.name, sqlstate: sqlStateOf(cause) },
    cause,
  });
