import { randomBytes } from 'node:crypto';
import { openDatabase, type Database } from '../database/connect.js';
import { isPermission } from '../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

/**
 * Gives `use` the URL of a new, empty database on the server of `serverUrl`, and drops it afterwards together with its
 * connections. The database of `serverUrl` itself does not change.
 *
 * @throws `scratch_not_allowed` for a role without CREATEDB
 */
export async function withScratchDatabase<T>(serverUrl: string, use: (url: string) => Promise<T>): Promise<T> {
  const name = `keylift_snapshot_${randomBytes(6).toString('hex')}`;
  const server = await openDatabase(serverUrl, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    // template0 and UTF8, because a changed template1 or another encoding would change the result of a case.
    await run(server, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`).catch(
      (error: unknown) => {
        throw isPermission(error) ? notAllowed(server, error) : error;
      },
    );
    try {
      // The time zone of the server would change dates without a zone, too.
      await run(server, `ALTER DATABASE ${name} SET timezone = 'UTC'`);
      return await use(withDatabaseName(serverUrl, name));
    } finally {
      await run(server, `DROP DATABASE ${name} WITH (FORCE)`);
    }
  } finally {
    await server.close();
  }
}

const notAllowed = ({ where }: Database, cause: unknown): KeyliftError =>
  keyliftError('scratch_not_allowed', {
    message: `${where.user} may not create a scratch database on ${where.host}`,
    facts: { host: where.host, port: where.port, user: where.user },
    cause,
  });

/** Runs a statement that is not allowed in a transaction. The database name has letters and digits only. */
async function run(server: Database, statement: string): Promise<void> {
  await server.withSession((session) => session.query(statement), { name: 'scratch database: run a statement' });
}

function withDatabaseName(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  if (url.protocol === 'socket:') url.searchParams.set('db', name);
  else url.pathname = `/${name}`;
  return url.href;
}
