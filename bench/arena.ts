import pg from 'pg';
import { startEmbeddedServer, type EmbeddedServer } from '../src/embedded/server.js';
import { seedSql } from './seed.js';

/** A PostgreSQL at its default settings with a seeded platform, of which every way gets a fresh copy. */
export interface Arena {
  keys: number;
  /** Runs `way` on a copy of the seeded database (or of another one), checkpointed before; the copy goes afterwards. */
  onCopy: <T>(way: (copy: Copy) => Promise<T>, options?: { of?: string }) => Promise<T>;
  /** Makes a copy that stays until the arena closes, prepared once: a finished migration, say. */
  keep: (name: string, prepare: (copy: Copy) => Promise<unknown>) => Promise<string>;
  say: (line: string) => void;
  /** What the server writes down. */
  logFile: string;
}

/** One database to work in. */
export interface Copy {
  keys: number;
  url: string;
  sql: <R extends pg.QueryResultRow = Record<string, string>>(text: string, values?: unknown[]) => Promise<R[]>;
  /** Seconds that the statements take, one after the other; those of a list, two at most, at once in a session each. */
  timed: (...statements: (string | string[])[]) => Promise<number>;
  checkpoint: () => Promise<void>;
}

const SEEDED = 'seeded';

export interface ArenaOptions {
  keys: number;
  say: (line: string) => void;
  /** The server's, where it shall not have its default ones. */
  settings?: Record<string, string>;
}

/** Opens the arena, runs the work and closes it, whatever happens. */
export async function withArena<T>(options: ArenaOptions, work: (arena: Arena) => Promise<T>): Promise<T> {
  const server = await startEmbeddedServer({ settings: options.settings ?? {} });
  try {
    options.say(`seeding ${String(options.keys)} keys`);
    await server.createDatabase(SEEDED);
    await withCopy(server, { keys: options.keys, name: SEEDED }, async (copy) => {
      await copy.sql(seedSql(options.keys));
      await copy.sql('VACUUM (ANALYZE, FREEZE)');
    });
    return await work(arenaOf(server, options));
  } finally {
    await server.stop();
  }
}

function arenaOf(server: EmbeddedServer, { keys, say }: ArenaOptions): Arena {
  let copies = 0;
  const kept = new Set<string>();
  return {
    keys,
    say,
    logFile: server.logFile,
    async onCopy(way, { of = SEEDED } = {}) {
      copies += 1;
      const name = `copy_${String(copies)}`;
      await cloneDatabase(server, { name, of });
      try {
        return await withCopy(server, { keys, name }, way);
      } finally {
        await server.dropDatabase(name);
      }
    },
    async keep(name, prepare) {
      if (kept.has(name)) return name;
      await cloneDatabase(server, { name, of: SEEDED });
      await withCopy(server, { keys, name }, prepare);
      kept.add(name);
      return name;
    },
  };
}

/** Copied as files, hint bits and all, then checkpointed: every way starts from the same state on disk. */
async function cloneDatabase(server: EmbeddedServer, { name, of }: { name: string; of: string }): Promise<void> {
  const client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${of} STRATEGY FILE_COPY`);
    await client.query('CHECKPOINT');
  } finally {
    await client.end();
  }
}

async function withCopy<T>(
  server: EmbeddedServer,
  { keys, name }: { keys: number; name: string },
  way: (copy: Copy) => Promise<T>,
): Promise<T> {
  const url = server.url(name);
  const [client, further] = [await connected(url), await connected(url)];
  try {
    return await way({
      keys,
      url,
      async sql<R extends pg.QueryResultRow>(text: string, values: unknown[] = []) {
        return (await (values.length > 0 ? client.query<R>(text, values) : client.query<R>(text))).rows;
      },
      async timed(...statements) {
        const started = performance.now();
        for (const statement of statements.map((given) => [given].flat())) {
          await Promise.all(statement.map((text, at) => [client, further][at]!.query(text)));
        }
        return (performance.now() - started) / 1000;
      },
      async checkpoint() {
        await client.query('CHECKPOINT');
      },
    });
  } finally {
    await Promise.all([client, further].map((session) => session.end().catch(() => undefined)));
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench' });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
