import type pg from 'pg';
import type { Where } from './address.js';
import { connectionLost } from './failures.js';
import { isConnectionLost } from './sqlstate.js';

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
}

/** A checked-out client, and whether its connection is gone. */
export interface Line {
  session: WriteSession;
  isLost: () => boolean;
  /** Detaches from the client: afterwards the session refuses to work. */
  close: () => void;
}

/** Wraps a checked-out client: notices its loss and names it, and outlives nothing. */
export function openLine(client: pg.PoolClient, where: Where): Line {
  let lost: Error | undefined;
  let open = true;
  const onError = (error: Error) => (lost ??= error);
  client.on('error', onError);

  const query = async <R>(sql: string, values?: readonly unknown[]): Promise<Answer<R>> => {
    if (!open) throw new Error('a database session was used after its scope had ended');
    try {
      // pg's types want any[]; an absent array selects the simple protocol, which takes several statements.
      const result: unknown = await client.query(sql, values === undefined ? undefined : [...values]);
      return answerOf<R>(result);
    } catch (error) {
      // pg has no code for "terminated unexpectedly"; its error event is what tells.
      if (lost !== undefined || isConnectionLost(error)) {
        lost ??= error as Error;
        throw connectionLost(lost, where);
      }
      throw error;
    }
  };

  return {
    session: { access: 'read-write', query, ...single(query) },
    isLost: () => lost !== undefined,
    close: () => {
      open = false;
      client.off('error', onError);
    },
  };
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
  const last = (Array.isArray(result) ? result.at(-1) : result) as Omit<Answer<R>, 'rowCount'> & { rowCount: number | null };
  return { rows: last.rows, rowCount: last.rowCount ?? 0, command: last.command };
}
