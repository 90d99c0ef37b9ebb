import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import type { Where } from './address.js';
import { KeyliftError } from '../errors/keylift-error.js';
import { socketOf } from './separate-connection.js';
import { connectionLost } from './failures.js';
import { isConnectionLost } from './sqlstate.js';
import { noteStatement } from './statement.js';

export interface Answer<R> {
  rows: R[];
  /** Rows returned or touched; of several statements, the last one's. */
  rowCount: number;
  /** The command tag's first word: COMMIT, INSERT, SELECT. */
  command: string;
}

/** A session that only reads. A function that asks for this one cannot write by its own type. */
export interface ReadSession {
  /** Runs one statement; without values also several, and answers with the last one's rows. */
  query<R = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<Answer<R>>;
  /** The only row. No row, or more than one, is a bug and throws. */
  one<R = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<R>;
  /** The first row, or undefined when there is none. */
  first<R = Record<string, unknown>>(sql: string, values?: readonly unknown[]): Promise<R | undefined>;
}

/** A session that may write; it can be handed to whatever only reads. */
export interface WriteSession extends ReadSession {
  readonly access: 'read-write';
  /**
   * Runs `COPY … FROM STDIN` with these pieces of its text, each asked for when the server has taken the one before.
   * What the source throws ends the COPY and is thrown.
   */
  copyIn(sql: string, source: AsyncIterable<string>): Promise<void>;
}

/** The server that a session is served by: its process, and since when the whole of it runs, which tells it from others. */
export interface Server {
  process: number;
  started: string;
}

/** A checked-out client, and whether its connection is gone. */
export interface Line {
  session: WriteSession;
  isLost: () => boolean;
  /** Changes with all that is asked and with all that arrives; undefined while nothing is waited for. */
  sign: () => string | undefined;
  /** Who serves the transaction under way, by its own word: behind a pooler nothing else tells. */
  server: () => Server | undefined;
  servedBy: (server: Server) => void;
  /** Drops the connection: what waits for it ends with this error. */
  breakOff: (error: KeyliftError) => void;
  /** Detaches from the client: afterwards the session refuses to work. */
  close: () => void;
}

/** Wraps a checked-out client: notices its loss and names it, and outlives nothing. */
export function openLine(client: pg.PoolClient, where: Where): Line {
  let lost: Error | undefined;
  let open = true;
  let asked = 0;
  let answered = 0;
  let server: Server | undefined;
  const onError = (error: Error) => (lost ??= error);
  client.on('error', onError);

  const guarded = async <T>(sql: string, work: () => Promise<T>): Promise<T> => {
    if (!open) throw new Error('a database session was used after its scope had ended');
    asked += 1;
    try {
      return await work();
    } catch (error) {
      // pg has no code for "terminated unexpectedly"; its error event is what tells.
      if (lost !== undefined || isConnectionLost(error)) {
        lost ??= error as Error;
        throw lost instanceof KeyliftError ? lost : connectionLost(lost, where);
      }
      noteStatement(error, sql);
      throw error;
    } finally {
      answered += 1;
    }
  };

  const query = <R>(sql: string, values?: readonly unknown[]): Promise<Answer<R>> =>
    guarded(sql, async () => {
      // pg's types want any[]; an absent array selects the simple protocol, which takes several statements.
      const result: unknown = await client.query(sql, values === undefined ? undefined : [...values]);
      return answerOf<R>(result);
    });

  const copyIn = (sql: string, source: AsyncIterable<string>): Promise<void> =>
    guarded(sql, () => copy(client, sql, source));

  return {
    session: { access: 'read-write', query, copyIn, ...single(query) },
    isLost: () => lost !== undefined,
    sign: () =>
      asked === answered ? undefined : `${String(asked)} ${String(answered)} ${String(socketOf(client).bytesRead)}`,
    server: () => server,
    servedBy: (by) => {
      server = by;
    },
    breakOff: (error) => {
      socketOf(client).destroy(error);
    },
    close: () => {
      open = false;
      client.off('error', onError);
    },
  };
}

/** An error of the source's own must come out, not the server's answer to the COPY it broke off. */
async function copy(client: pg.PoolClient, sql: string, source: AsyncIterable<string>): Promise<void> {
  const thrown: unknown[] = [];
  async function* watched(): AsyncGenerator<string> {
    try {
      yield* source;
    } catch (error) {
      thrown.push(error);
      throw error;
    }
  }
  const { from: copyFrom } = await import('pg-copy-streams');
  try {
    await pipeline(Readable.from(watched(), { highWaterMark: 1 }), client.query(copyFrom(sql)));
  } catch (error) {
    throw thrown[0] ?? error;
  }
}

function single(query: ReadSession['query']): Pick<ReadSession, 'one' | 'first'> {
  return {
    first: async <R>(sql: string, values?: readonly unknown[]) => (await query<R>(sql, values)).rows[0],
    one: async <R>(sql: string, values?: readonly unknown[]) => {
      const { rows } = await query<R>(sql, values);
      if (rows.length !== 1) throw new Error(`expected one row, got ${String(rows.length)}: ${sql.slice(0, 200)}`);
      return rows[0] as R;
    },
  };
}

function answerOf<R>(result: unknown): Answer<R> {
  const last = (Array.isArray(result) ? result.at(-1) : result) as Omit<Answer<R>, 'rowCount'> & {
    rowCount: number | null;
  };
  return { rows: last.rows, rowCount: last.rowCount ?? 0, command: last.command };
}
