import type { Database } from '../database/connect.js';
import type { WriteSession } from '../database/session.js';
import { isRetryable } from '../database/sqlstate.js';
import type { Wait } from '../database/waiting.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { moment } from '../ledger/moment.js';
import type { Run } from '../ledger/runs.js';

/** What the run waits for from now on, for `status`; of a wait that goes on in other words, `since` stays. */
const BEGIN = `
  UPDATE keylift.runs SET waiting_for = $2, waiting_kind = $3,
    waiting_since = CASE WHEN waiting_kind = $3 THEN waiting_since ELSE clock_timestamp() END
  WHERE run_id = $1`;

/** A wait that is over, as an event. $4: how long it was, by the run's own clock: the database may not have answered. */
const END = `
  WITH over AS (UPDATE keylift.runs SET waiting_for = NULL, waiting_kind = NULL, waiting_since = NULL WHERE run_id = $1)
  INSERT INTO keylift.events (run_id, kind, facts)
  SELECT $1, 'waiting', jsonb_build_object('kind', $2::text, 'reason', $3::text, 'seconds', $4::float8,
    'from', ${moment('clock_timestamp() - make_interval(secs => $4::float8)')}, 'to', ${moment('clock_timestamp()')})`;

interface Waiting {
  wait: Wait;
  since: number;
}

/** Keeps the ledger told what a run waits for, and for how long it did once that is over. */
export class Waits {
  private waiting: Waiting | null = null;
  /** How it was told last. */
  private text = '';
  /** One after the other: the end of a wait must not be written before its beginning. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: { database: Database; run: Run },
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** What holds now; null: it goes on. The same kind in other words (a lag that grows) is one wait. Nobody waits for the writing. */
  tell(wait: Wait | null): void {
    const before = this.waiting;
    if (wait !== null && wait.kind === before?.wait.kind) {
      if (wait.text !== this.text) this.begin(wait);
      return;
    }
    this.waiting = wait === null ? null : { wait, since: this.now() };
    if (before !== null) this.end(before);
    if (wait !== null) this.begin(wait);
  }

  /** Resolves when all is written that was told. @throws what kept it from being written, a lost database apart. */
  async settled(): Promise<void> {
    await this.writing;
  }

  private begin({ kind, text }: Wait): void {
    this.text = text;
    this.write((session, runId) => session.query(BEGIN, [runId, text, kind]));
  }

  private end({ wait: { kind, text }, since }: Waiting): void {
    const seconds = (this.now() - since) / 1000;
    this.write((session, runId) => session.query(END, [runId, kind, text, seconds]));
  }

  /** Whoever waits for a database that is gone, or has lost its lease, must not fail for want of a note about it. */
  private write(statement: (session: WriteSession, runId: string) => Promise<unknown>): void {
    const { database, run } = this.context;
    this.writing = this.writing
      .then(() => database.transaction((session) => statement(session, run.runId), { tries: 1 }))
      .then(
        () => undefined,
        (error: unknown) => {
          if (!(error instanceof KeyliftError) && !isRetryable(error)) throw error;
        },
      );
    this.writing.catch(() => undefined); // settled() throws it
  }
}
