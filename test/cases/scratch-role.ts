import { after, before } from 'mocha';
import { onServer, serverUrl } from '../support/database.js';

/** A role of a test file's own: whatever other files do at this moment, its databases are the file's. */
export interface ScratchRole {
  /** The suite's server, as this role. */
  url(): string;
  /** Names of the databases this role has left. */
  databases(): Promise<string[]>;
}

const PASSWORD = 'only-for-scratch-1234';

/** Registers the hooks that make the role and take it away again. */
export function useScratchRole(): ScratchRole {
  let name = '';
  const databases = async (): Promise<string[]> =>
    onServer(async (client) => {
      const { rows } = await client.query<{ datname: string }>(
        'select datname from pg_database where datdba = $1::regrole',
        [name],
      );
      return rows.map(({ datname }) => datname);
    });
  before(() => {
    name = `scratch_${String(process.pid)}_${Date.now().toString(36)}`;
    return onServer((client) => client.query(`create role ${name} login superuser password '${PASSWORD}'`));
  });
  after(() => onServer((client) => client.query(`drop role ${name}`)));
  return {
    url: () => {
      const url = new URL(serverUrl());
      [url.username, url.password] = [name, PASSWORD];
      return url.href;
    },
    databases,
  };
}
