import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import type { EmbeddedServer } from '../../src/embedded/server.js';
import type { TestDatabase } from '../support/database.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { databaseOf, startOwnServer } from '../support/own-server.js';
import { Proxy } from '../support/proxy.js';
import { Scenario } from '../support/scenario.js';
import { plant } from '../support/seed.js';
import type { Compiled } from './compile.js';
import { EXPECTED_TABLES } from './platform.js';
import { ACCOUNTS_CSV, BASES, type Base, type Story } from './stories.js';

const { keys } = DEFAULT_SETTINGS.legacy;
const SETTINGS = {
  ...DEFAULT_SETTINGS,
  legacy: { ...DEFAULT_SETTINGS.legacy, keys: { ...keys, carry: ['reference'] } },
};

/** No index on the token, so that expand builds one; a carried column that is unique, so that harden does. */
const GROUND = `drop index public.api_keys_token; alter table public.api_keys add column reference text unique`;

/**
 * A sequence writes some values ahead to the log. Its copy believes that, too, and in its own log there is nothing:
 * after a crash it would give the same values again.
 */
const SEQUENCES_ANEW = `
  do $$ declare s regclass; begin
    for s in select oid::regclass from pg_class where relkind = 'S' loop
      execute format('select setval(%L, last_value, is_called) from %s', s, s); end loop;
  end $$`;

/**
 * A server of its own that may be crashed, behind a proxy, with the databases that stories begin from. One cell at a
 * time.
 */
export class Lane {
  private readonly bases = new Map<Base, Promise<TestDatabase>>();
  private made = 0;

  private constructor(
    readonly compiled: Compiled,
    readonly server: EmbeddedServer,
    readonly proxy: Proxy,
    private readonly folder: string,
  ) {}

  static async open(compiled: Compiled): Promise<Lane> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-fire-'));
    await writeFile(path.join(folder, 'HOLDS'), MOTLEY_HOLDS.csv);
    await writeFile(path.join(folder, 'ACCOUNTS'), ACCOUNTS_CSV);
    await writeFile(path.join(folder, 'CONFIG'), JSON.stringify(SETTINGS));
    const server = await startOwnServer();
    return new Lane(compiled, server, await Proxy.before(server.url()), folder);
  }

  async close(): Promise<void> {
    await this.proxy.close();
    for (const base of this.bases.values()) await (await base).drop();
    await this.server.stop();
    await rm(this.folder, { recursive: true });
  }

  /** A story's command line as words, with the files it names. */
  words(line: string): string[] {
    const named = line.split(' ').map((word) => (/^[A-Z]+$/.test(word) ? path.join(this.folder, word) : word));
    return [...named, '--config', path.join(this.folder, 'CONFIG')];
  }

  /** A fresh database that stands where this story begins. */
  async ground({ base, prepare }: Pick<Story, 'base' | 'prepare'>): Promise<Scenario> {
    const scenario = await this.copyOf(await this.base(base));
    if (prepare !== undefined) await scenario.db.query(prepare);
    return scenario;
  }

  /** A copy of a database; whoever is still in it is sent away, what was committed is there. */
  async copyOf(db: TestDatabase): Promise<Scenario> {
    await this.disconnect(db);
    const copy = await databaseOf(this.server, `fire_${String(++this.made)}`, { template: db.name });
    await copy.query(SEQUENCES_ANEW);
    return Scenario.open({ database: copy, holds: MOTLEY_HOLDS });
  }

  /** Runs a command in this process, past the proxy, and answers how it ended. */
  async run(scenario: Scenario, line: string): ReturnType<Scenario['run']> {
    return scenario.run(this.words(line));
  }

  private async disconnect(db: TestDatabase): Promise<void> {
    const elsewhere = await maintenance(this.server);
    await elsewhere.query(`select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1`, [
      db.name,
    ]);
    await elsewhere.end();
  }

  private async base(name: Base): Promise<TestDatabase> {
    const made = this.bases.get(name) ?? this.make(name);
    this.bases.set(name, made);
    return made;
  }

  private async make(name: Base): Promise<TestDatabase> {
    const way = BASES[name];
    if (way === null) {
      const db = await databaseOf(this.server, 'fire_seeded');
      await db.query(GROUND);
      await plant(db, MOTLEY);
      await db.query(EXPECTED_TABLES);
      return db;
    }
    const scenario = await this.ground({ base: way[0] });
    const { exitCode, stderr } = await this.run(scenario, way[1]);
    if (exitCode !== 0 && exitCode !== 6) throw new Error(`${way[1]} ended with ${String(exitCode)}:\n${stderr}`);
    return scenario.db;
  }
}

async function maintenance(server: EmbeddedServer): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: server.url() });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
