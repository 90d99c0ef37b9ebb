import pg from 'pg';

export interface BesideOptions {
  /** Shown in pg_stat_activity. */
  application: string;
  /** For letting us in, and for each answer. */
  timeoutMs: number;
}

/** Runs `fn` in a short connection of its own, since those at work are busy, or past hearing; closes it whatever happens. */
export async function beside<T>(
  url: string,
  { application, timeoutMs }: BesideOptions,
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
    const late = setTimeout(() => {
      socketOf(client).destroy();
    }, timeoutMs);
    await client.end().catch(() => undefined);
    clearTimeout(late);
  }
}

/** The socket, which pg's types keep to themselves. */
export const socketOf = (client: pg.ClientBase): { bytesRead: number; destroy(error?: Error): void } =>
  (client as unknown as { connection: { stream: { bytesRead: number; destroy(error?: Error): void } } }).connection
    .stream;
