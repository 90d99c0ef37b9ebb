import { isAbsolute } from 'node:path';
import type { Connection } from './options.js';

/** The URL of a connection. Undefined where none is named: then the caller has no database. */
export function urlOf(connection: Connection | undefined, env: NodeJS.ProcessEnv): string | undefined {
  if (connection === undefined) return env.DATABASE_URL === '' ? undefined : env.DATABASE_URL;
  if (typeof connection === 'string') return connection;
  return 'connectionString' in connection ? connection.connectionString : urlOfParts(connection);
}

type Parts = Extract<Connection, { database: string }>;

/** A folder as `host` is that of a Unix socket. */
function urlOfParts({ host = 'localhost', port, user, password, database }: Parts): string {
  const encoded = (text: string | undefined): string => encodeURIComponent(text ?? '');
  const account = user === undefined ? '' : `${encoded(user)}${password === undefined ? '' : `:${encoded(password)}`}@`;
  const at = port === undefined ? '' : `:${String(port)}`;
  if (isAbsolute(host)) return `postgres://${account}localhost${at}/${encoded(database)}?host=${encoded(host)}`;
  return `postgres://${account}${host.includes(':') ? `[${host}]` : host}${at}/${encoded(database)}`;
}
