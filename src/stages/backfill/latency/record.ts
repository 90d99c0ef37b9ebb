import { isWorthRetrying } from '../../../database/retry.js';
import { KeyliftError } from '../../../errors/keylift-error.js';
import { recordLookups } from '../../../ledger/runs.js';
import type { StageContext } from '../../../run/context.js';
import type { Lookups } from '../../../run/events.js';

const EVERY_MS = 2_000;

/** Tells the ledger and the log, every two seconds, how long key lookups take. */
export class LookupRecord {
  private writtenAt = -Infinity;
  private latest: Lookups | null = null;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly context: Pick<StageContext, 'database' | 'run' | 'emit'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  note(lookups: Lookups | null): void {
    if (lookups === null || this.now() - this.writtenAt < EVERY_MS) return;
    this.writtenAt = this.now();
    this.latest = lookups;
    this.context.emit({ kind: 'lookups', lookups });
    this.write(lookups);
  }

  /** From now on no lookup is timed. Resolves when everything is written. */
  async end(): Promise<void> {
    if (this.latest !== null) this.write({ ...this.latest, p95: null });
    this.latest = null;
    await this.writing;
  }

  /** A failure to record a time, without a connection or without the lease, never fails the run. */
  private write(lookups: Lookups): void {
    const { database, run } = this.context;
    this.writing = this.writing
      .then(() =>
        database.transaction((session) => recordLookups(session, run, lookups), {
          name: 'backfill: record the time of key lookups',
          retry: 'none',
          afterStop: true,
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof KeyliftError) && !isWorthRetrying('transaction', error)) throw error;
      });
    this.writing.catch(() => undefined); // `end` throws it
  }
}
