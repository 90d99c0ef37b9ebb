import type { Database } from '../database/connect.js';
import { isWorthRetrying } from '../database/retry.js';
import type { WriteSession } from '../database/session.js';
import type { Wait } from '../database/waiting.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { moment } from '../ledger/moment.js';
import type { Run } from '../ledger/runs.js';
import type { RunListener } from './events.js';

/** The reason of the wait, for `status`. When only the numbers in it change, `waiting_since` stays. */
const BEGIN = `
  UPDATE keylift.runs SET waiting_for = $2, waiting_kind = $3,
    waiting_since = CASE WHEN waiting_kind = $3 THEN waiting_since ELSE clock_timestamp() END
  WHERE run_id = $1`;

/** The end of a wait, as an event. $4: its length by the clock of this process, since the database may not have answered. */
const END = `
  WITH over AS (UPDATE keylift.runs SET waiting_for = NULL, waiting_kind = NULL, waiting_since = NULL WHERE run_id = $1)
  INSERT INTO keylift.events (run_id, kind, facts)
  SELECT $1, 'waiting', jsonb_build_object('kind', $2::text, 'reason', $3::text, 'seconds', $4::float8,
    'from', ${moment('clock_timestamp() - make_interval(secs => $4::float8)')}, 'to', ${moment('clock_timestamp()')})`;

interface Waiting {
  wait: Wait;
  since: number;
}

/** Records in the ledger what a run waits for, and how long each wait took. */
export class Waits {
  private waiting: Waiting | null = null;
  /** As the ledger has it. */
  private text = '';
  /** One statement after the other: the end of a wait must not be written before its beginning. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: { database: Database; run: Run },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Does not wait for the database. A wait of the same kind with another text (a lag that grows) is one wait. */
  readonly listen: RunListener = (event) => {
    if (event.kind !== 'waiting') return;
    const { wait } = event;
    const before = this.waiting;
    if (wait !== null && wait.kind === before?.wait.kind) {
      if (wait.text !== this.text) this.begin(wait);
      return;
    }
    this.waiting = wait === null ? null : { wait, since: this.now() };
    if (before !== null) this.end(before);
    if (wait !== null) this.begin(wait);
  };

  /** Does `work`, then ends the wait that is open and resolves when everything is written. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const close = (): Promise<void> => {
      this.listen({ kind: 'waiting', wait: null });
      return this.writing;
    };
    const result = await work().catch(async (error: unknown) => {
      await close().catch(() => undefined); // the error of the work is the one to report
      throw error;
    });
    await close();
    return result;
  }

  private begin({ kind, text }: Wait): void {
    this.text = text;
    this.write((session, runId) => session.query(BEGIN, [runId, text, kind]));
  }

  private end({ wait: { kind, text }, since }: Waiting): void {
    const seconds = (this.now() - since) / 1000;
    this.write((session, runId) => session.query(END, [runId, kind, text, seconds]));
  }

  /** A failure to record a wait, without a connection or without the lease, never fails the run. */
  private write(statement: (session: WriteSession, runId: string) => Promise<unknown>): void {
    const { database, run } = this.context;
    this.writing = this.writing
      .then(() =>
        database.transaction((session) => statement(session, run.runId), {
          name: 'run: record a wait',
          retry: 'none',
          afterStop: true,
        }),
      )
      .then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof KeyliftError) && !isWorthRetrying('transaction', error)) throw error;
        },
      );
    this.writing.catch(() => undefined); // `during` throws it
  }
}
