import { randomBytes } from 'node:crypto';
import { openDatabase, type Database } from '../database/connect.js';
import { isPermission } from '../database/sqlstate.js';
import { keyliftError, type KeyliftError } from '../errors/keylift-error.js';

/**
 * Gives `use` the URL of a new, empty database on the server of `serverUrl` and drops it afterwards, whoever is
 * still connected. The database that `serverUrl` names is not touched.
 *
 * @throws `scratch_not_allowed` for a role without CREATEDB
 */
export async function withScratchDatabase<T>(serverUrl: string, use: (url: string) => Promise<T>): Promise<T> {
  const name = `keylift_snapshot_${randomBytes(6).toString('hex')}`;
  const server = await openDatabase(serverUrl, { applicationName: 'keylift snapshot', maxConnections: 1 });
  try {
    // template0 and UTF8: neither a filled template1 nor the server's encoding may change what a case shows.
    await run(server, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`).catch(
      (error: unknown) => {
        throw isPermission(error) ? notAllowed(server, error) : error;
      },
    );
    try {
      // Nor may the server's zone: dates without one mean another moment in each.
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

/** Outside a transaction, as CREATE DATABASE and DROP DATABASE must be. `name` above is ours: letters and digits. */
async function run(server: Database, statement: string): Promise<void> {
  await server.withSession((session) => session.query(statement));
}

function withDatabaseName(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  if (url.protocol === 'socket:') url.searchParams.set('db', name);
  else url.pathname = `/${name}`;
  return url.href;
}
