import pg from 'pg';
import { after } from '../timing.js';

export interface ConnectionOptions {
  /** Shown in pg_stat_activity. */
  application: string;
  /** Limits the connection attempt, and each answer. */
  timeoutMs: number;
}

/** Runs `fn` in a short connection of its own, for questions about connections that are busy; always closes it. */
export async function withSeparateConnection<T>(
  url: string,
  { application, timeoutMs }: ConnectionOptions,
  fn: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: application,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await fn(client);
  } finally {
    const ended = after(timeoutMs, () => {
      socketOf(client).destroy();
    });
    await client.end().catch(() => undefined);
    ended();
  }
}

interface Socket {
  bytesRead: number;
  destroy(error?: Error): void;
}

/** The socket, which is missing in the types of pg. */
export const socketOf = (client: pg.ClientBase): Socket =>
  (client as unknown as { connection: { stream: Socket } }).connection.stream;
