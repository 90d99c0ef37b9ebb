import type pg from 'pg';
import { socketOf, withSeparateConnection } from '../../../database/separate-connection.js';
import { sql } from '../../../database/sql.js';
import { isTimeout, sqlStateOf } from '../../../database/sqlstate.js';
import type { MappedSchema } from '../../../mapping/inspect.js';
import { pause, whenAborted } from '../../../timing.js';
import { LookupTimes } from './times.js';

const EVERY_MS = 100;
/** The server ends a lookup after this time, which then counts as its time. */
const LOOKUP_WITHIN_MS = 5_000;
/** Keys whose lookups are timed before others are chosen. */
const KEYS = 100;
/** The server does not know a prepared statement that a pooler sent elsewhere, or it knows another one of this name. */
const NOT_PREPARED = new Set(['26000', '42P05']);

/** The ends of the ranges are spread over the table. */
const CHOOSE_KEYS = sql`
  SELECT upto_id::text AS id FROM keylift.batches WHERE upto_id IS NOT NULL ORDER BY random() LIMIT ${KEYS}`;

/** What a gateway asks for each request. The token stays in the server. */
export const lookUpKey = ({ legacy: l, types }: MappedSchema): string => sql`
  SELECT f.key_id
  FROM
    ${l.from}
    CROSS JOIN LATERAL keylift.authorize(${l.token()}, ${l.api()}) f
  WHERE ${l.id()} = $1::text::${types.id}`;

interface TimerOptions {
  url: string;
  schema: MappedSchema;
}

/** What the timer knows: times, that there is no key to look up, or why it cannot time lookups. */
export type Measured = 'times' | 'no_keys' | { fault: string };

/** Times the platform's own key lookup, once in 100 ms, over one connection of its own. */
export class LookupTimer {
  readonly times = new LookupTimes();
  measured: Measured = 'times';
  private readonly ended = new AbortController();
  private readonly running: Promise<void>;
  private begun: number | null = null;
  private prepared = true;

  constructor(
    private readonly options: TimerOptions,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.running = this.run(this.ended.signal);
  }

  /** The 95th percentile of the latest lookups, in seconds; null until there are enough. */
  p95(): number | null {
    return this.times.p95(this.begun === null ? null : (this.now() - this.begun) / 1000);
  }

  /** Resolves when the connection is closed. */
  async end(): Promise<void> {
    this.ended.abort();
    await this.running;
  }

  /** A lost connection is opened again. */
  private async run(stop: AbortSignal): Promise<void> {
    const options = { application: 'keylift lookup timer', timeoutMs: LOOKUP_WITHIN_MS + 1_000 };
    while (!stop.aborted) {
      await withSeparateConnection(this.options.url, options, (client) => this.sample(client, stop)).catch(
        (error: unknown) => {
          if (!stop.aborted) this.measured = { fault: sqlStateOf(error) ?? 'no connection' };
        },
      );
      await pause(EVERY_MS, stop).catch(() => undefined);
    }
  }

  /** The first lookup in a connection also loads what the server caches, so it is not counted. */
  private async sample(client: pg.Client, stop: AbortSignal): Promise<void> {
    for (let first = true; !stop.aborted;) {
      const { rows } = await client.query<{ id: string }>(CHOOSE_KEYS);
      if (rows.length === 0) this.measured = 'no_keys';
      for (const { id } of rows) {
        if (stop.aborted) return;
        const seconds = await this.timeOne(client, id);
        if (!first) this.times.add(seconds);
        first = false;
        this.measured = 'times';
        await pause(EVERY_MS, stop);
      }
      if (rows.length === 0) await pause(EVERY_MS, stop);
    }
  }

  private async timeOne(client: pg.Client, id: string): Promise<number> {
    await client.query(`BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = ${String(LOOKUP_WITHIN_MS)}`);
    this.begun = this.now();
    const broken = whenAborted(this.ended.signal, () => {
      socketOf(client).destroy(); // the server ends the lookup by its timeout
    });
    try {
      await client.query({
        text: lookUpKey(this.options.schema),
        values: [id],
        ...(this.prepared ? { name: 'keylift_lookup' } : {}),
      });
      return (this.now() - this.begun) / 1000;
    } catch (error) {
      if (NOT_PREPARED.has(sqlStateOf(error) ?? '')) this.prepared = false;
      if (!isTimeout(error)) throw error;
      return LOOKUP_WITHIN_MS / 1000;
    } finally {
      broken();
      this.begun = null;
      await client.query('ROLLBACK');
    }
  }
}
