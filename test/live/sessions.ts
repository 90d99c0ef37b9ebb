import type pg from 'pg';
import type { TestDatabase } from '../support/database.js';
import { until } from '../support/waiting.js';

/** How a statement ended: done, or with this SQLSTATE. */
export type End = 'done' | (string & {});

/** A statement under way. */
export interface Pending {
  end: Promise<End>;
}

/** One connection of the platform's, with a transaction of its own. */
export class Session {
  private constructor(
    private readonly db: TestDatabase,
    readonly client: pg.Client,
    readonly pid: number,
  ) {}

  static async open(db: TestDatabase): Promise<Session> {
    const client = await db.connect();
    const {
      rows: [row],
    } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return new Session(db, client, row!.pid);
  }

  /** Runs SQL to its end. */
  async run<Row extends pg.QueryResultRow = pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
    return (await this.client.query<Row>(sql, values)).rows;
  }

  /** Starts SQL; an error is an answer here. */
  start(sql: string): Pending {
    return {
      end: this.client.query(sql).then(
        () => 'done',
        (error: unknown) => (error as { code: string }).code,
      ),
    };
  }

  /** Starts SQL that must come to wait for a lock, and resolves when it does. Fails when it ends without waiting. */
  async startBlocked(sql: string): Promise<Pending> {
    const pending = this.start(sql);
    let ended: End | undefined;
    void pending.end.then((end) => {
      ended = end;
    });
    await until(`to wait for a lock: ${sql}`, async () => {
      if (ended !== undefined) throw new Error(`ended with ${ended} instead of waiting: ${sql}`);
      return (await blockersOf(this.db, this.pid)).length > 0;
    });
    return pending;
  }

  /** Resolves when this session waits for a lock. */
  async waits(): Promise<void> {
    await until('the session to wait', async () => (await blockersOf(this.db, this.pid)).length > 0);
  }
}

/** Processes that keep this one waiting for a lock. */
export async function blockersOf(db: TestDatabase, pid: number): Promise<number[]> {
  const [row] = await db.query<{ pids: number[] }>('select pg_blocking_pids($1) as pids', [pid]);
  return row!.pids;
}

/** Resolves when a session of keylift waits for a lock that this session holds. */
export async function keyliftWaitsFor(db: TestDatabase, session: Session): Promise<void> {
  await until('keylift to wait for the session', async () => {
    const rows = await db.query(
      `select from pg_stat_activity where datname = current_database() and application_name like 'keylift%'
        and $1 = any (pg_blocking_pids(pid))`,
      [session.pid],
    );
    return rows.length > 0;
  });
}
