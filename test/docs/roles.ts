import { afterEach } from 'mocha';
import pg from 'pg';
import type { TestDatabase } from '../support/database.js';
import { onServer } from '../support/database.js';
import { readDocument } from './headings.js';

export type RoleName = 'planner' | 'operator' | 'platform' | 'gateway';

export interface Roles {
  /** Runs the runbook's SQL for this role. */
  make(name: RoleName): Promise<void>;
  /** Runs the runbook's SQL for the platform's own role, which needs the new table. */
  grantTarget(): Promise<void>;
  url(name: RoleName): string;
  /** Runs SQL as this role; several statements answer with the last one's rows. */
  query(name: RoleName, sql: string): Promise<unknown[]>;
}

const LOGINS: Record<RoleName, string> = {
  planner: 'keylift_planner',
  operator: 'keylift_operator',
  platform: 'shop_platform',
  gateway: 'shop_gateway',
};

/**
 * The runbook's roles in a test's database. Roles belong to the server, so each test gets its own by name; the key
 * table gets the owner the runbook speaks of, APIs and accounts are somebody else's. Registers the clean-up.
 */
export function rolesOf(database: () => TestDatabase): Roles {
  const made = new Set<string>();
  const suffix = () => database().name.replace('keylift_test', '');
  const own = (sql: string) =>
    sql
      .replace(/\b(keylift_planner|keylift_operator|shop_platform|shop_gateway|shop_owner)\b/g, `$1${suffix()}`)
      .replace(/ON DATABASE shop\b/g, `ON DATABASE ${database().name}`);

  afterEach(async () => {
    // The database is gone by now, and with it all that they owned.
    await onServer(async (client) => {
      for (const role of [...made].reverse()) await client.query(`drop role if exists ${role}`);
    });
    made.clear();
  });

  const prepare = async (): Promise<void> => {
    const owner = `shop_owner${suffix()}`;
    const platform = `shop_platform${suffix()}`;
    if (made.has(owner)) return;
    made.add(owner).add(platform);
    await database().query(`
      create role ${owner}; create role ${platform} login password 'change me';
      alter table public.api_keys owner to ${owner};
      grant select, insert, update, delete on public.api_keys to ${platform}`);
  };

  const url = (name: RoleName): string => {
    const at = new URL(database().url);
    at.username = own(LOGINS[name]);
    at.password = encodeURIComponent('change me');
    return at.href;
  };

  return {
    url,
    make: async (name) => {
      await prepare();
      // What the platform gets needs the new table; before that its own grants are all it has.
      if (name === 'platform') return;
      made.add(own(LOGINS[name]));
      await database().query(own(sqlOf(name)));
    },
    grantTarget: async () => {
      await database().query(own(sqlOf('platform')));
    },
    query: async (name, sql) => {
      const client = new pg.Client({ connectionString: url(name) });
      await client.connect();
      try {
        const result = (await client.query(sql)) as pg.QueryResult | pg.QueryResult[];
        return (Array.isArray(result) ? result.at(-1)! : result).rows as unknown[];
      } finally {
        await client.end();
      }
    },
  };
}

/** The runbook's block for a role: `<!-- role: planner -->`, then the SQL. */
export function sqlOf(name: RoleName): string {
  const found = new RegExp(`<!-- role: ${name} -->\\n\`\`\`sql\\n(.*?)\`\`\``, 's').exec(readDocument('runbook.md'));
  if (found === null) throw new Error(`runbook.md has no SQL for the role ${name}`);
  return found[1]!;
}
