import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { expect } from 'chai';
import type pg from 'pg';
import { main } from '../../src/cli.js';
import type { Io } from '../../src/commands/io.js';
import type { ExitCode } from '../../src/errors/exit-codes.js';
import { createTestDatabase, onServer, type TestDatabase, type TestDatabaseOptions } from './database.js';
import {
  answer,
  judge,
  NOBODY_HELD,
  readWorld,
  type Answer,
  type HeldIds,
  type Switched,
  type World,
} from './rules.js';
import { OWN_APIS } from './projects.js';
import { plant, type Seed } from './seed.js';
import { until } from './waiting.js';

/** How a command ended. */
export interface Ended {
  exitCode: ExitCode;
  stdout: string;
  stderr: string;
  /** stdout, which must be one JSON document. */
  json<T = Record<string, unknown>>(): T;
}

/** A command under way. */
export interface Running {
  ended: Promise<Ended>;
  /** What a terminal's Ctrl-C does. */
  signal(signal?: NodeJS.Signals): void;
  stderrSoFar(): string;
}

export interface ScenarioOptions extends TestDatabaseOptions {
  /** Another database than one of the suite's server. */
  database?: TestDatabase;
  holds?: HeldIds;
  /** An account's keys open its own APIs and no other: `inStore` compares the owner. */
  ownApis?: boolean;
  /** The URL that commands get for a database, where it is not the database's own: that of a pooler before it. */
  through?: (database: string) => string;
}

/** One migration in a database of its own: seeds it, runs commands against it, reads what gateways and people see. */
export class Scenario {
  /** Written files go here. */
  #folder: string | undefined;

  /** What commands get as KEYLIFT_CONFIG. */
  #config: string | undefined;

  /** What commands get as DATABASE_URL. */
  readonly url: string;

  private constructor(
    readonly db: TestDatabase,
    readonly held: HeldIds,
    through: ScenarioOptions['through'],
    private readonly ownApis: boolean,
  ) {
    this.url = through?.(db.name) ?? db.url;
  }

  static async open({
    database,
    holds = NOBODY_HELD,
    through,
    ownApis = false,
    ...options
  }: ScenarioOptions = {}): Promise<Scenario> {
    const scenario = new Scenario(database ?? (await createTestDatabase(options)), holds, through, ownApis);
    if (ownApis) scenario.#config = await scenario.file('own-apis.json', JSON.stringify(OWN_APIS));
    return scenario;
  }

  /** A scenario with this seed in it. */
  static async of(seed: Seed, options: ScenarioOptions = {}): Promise<Scenario> {
    const scenario = await Scenario.open(options);
    await plant(scenario.db, seed);
    return scenario;
  }

  /** Another scenario that begins where this one stands. It disconnects everybody here. */
  async copy(): Promise<Scenario> {
    const name = this.db.name;
    await onServer((client) =>
      client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [name]),
    );
    return Scenario.open({ template: name, holds: this.held, ownApis: this.ownApis });
  }

  async close(): Promise<void> {
    await this.db.drop();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true });
  }

  /** Runs a command to its end; `--yes` is not added. Fails when a token or the password shows up in its outputs. */
  async run(line: string | readonly string[], options: { url?: string } = {}): Promise<Ended> {
    return this.start(line, options).ended;
  }

  /** Runs a command to its end and fails unless it exits with one of these codes. */
  async must(line: string, ...codes: readonly number[]): Promise<Ended> {
    const ended = await this.run(line);
    expect(codes.length === 0 ? [0] : codes, `keylift ${line}\n${ended.stdout}${ended.stderr}`).to.include(
      ended.exitCode,
    );
    return ended;
  }

  /** Starts a command in this process. */
  start(line: string | readonly string[], { url = this.url }: { url?: string } = {}): Running {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      streams[name].on('data', (chunk: Buffer) => {
        said[name] += chunk.toString();
      });
    const listeners = new Set<(signal: NodeJS.Signals) => void>();
    const io: Io = {
      ...streams,
      stdin: new PassThrough(),
      cwd: this.#folder ?? os.tmpdir(),
      env: { DATABASE_URL: url, ...(this.#config !== undefined && { KEYLIFT_CONFIG: this.#config }) },
      isTTY: { stdin: false, stdout: false, stderr: false },
      onSignal: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const argv = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
    const ended = main(argv, io).then(async (exitCode) => {
      await new Promise(setImmediate); // what was written last
      await this.#databaseIsBack();
      await this.assertNoSecrets(said.stdout + said.stderr);
      return { ...said, exitCode, json: <T>() => JSON.parse(said.stdout) as T };
    });
    return {
      ended,
      signal: (signal = 'SIGINT') => {
        listeners.forEach((listener) => {
          listener(signal);
        });
      },
      stderrSoFar: () => said.stderr,
    };
  }

  /** A test may have restarted the server under the command. */
  async #databaseIsBack(): Promise<void> {
    await until('the database to answer', () =>
      this.db.query('select').then(
        () => true,
        () => false,
      ),
    );
  }

  /** No output may hold a token, whole, or the password. */
  async assertNoSecrets(output: string): Promise<void> {
    const password = new URL(this.db.url).password;
    const tables = await this.db.query<{ name: string }>(
      `select name from unnest('{public.api_keys,public.account_api_keys}'::text[]) name
       where exists (select from pg_attribute where attrelid = to_regclass(name) and attname = 'token'
         and atttypid = 'text'::regtype)`,
    );
    const leaked = (
      await Promise.all(
        tables.map(({ name }) =>
          this.db.query<{ id: string }>(
            `select id::text from ${name} where length(token) > 5 and strpos($1, token collate "C") > 0`,
            [output],
          ),
        ),
      )
    ).flat();
    expect(leaked, 'keys whose token was printed').to.deep.equal([]);
    if (password.length > 5) expect(output.includes(password), 'the password was printed').to.equal(false);
  }

  /** Writes a file for a command and returns its path. */
  async file(name: string, text: string): Promise<string> {
    this.#folder ??= await mkdtemp(path.join(os.tmpdir(), 'keylift-scenario-'));
    const file = path.join(this.#folder, name);
    await writeFile(file, text);
    return file;
  }

  /** What `keylift.authorize` says: one row at most, ids as text. */
  async authorize(token: string | null, api: string | number): Promise<Answer[]> {
    return this.db.query<Answer & pg.QueryResultRow>(
      'select key_id::text, account_id::text, source from keylift.authorize($1, $2)',
      [token, String(api)],
    );
  }

  /** The tables as the model of the rules reads them. */
  async world(): Promise<World> {
    return readWorld(this.db, { ownApis: this.ownApis });
  }

  /** What Settings lists for an account, by creation date; dates as text. */
  async settings(account: string | number): Promise<Record<string, string | null>[]> {
    return this.db.query(
      `select id::text, name, created_at::text, revoked_at::text, expires_at::text, origin_api_id::text
       from public.account_api_keys where account_id = $1 order by created_at, id`,
      [String(account)],
    );
  }

  /** MD5 over every legacy row, byte for byte. */
  async legacyDigest(): Promise<string> {
    const parts = await Promise.all(
      ['accounts', 'apis', 'api_keys'].map((name) =>
        digestOf(this.db, `select k::text as row, k.id from public.${name} k`),
      ),
    );
    return parts.join(' ');
  }

  /** MD5 over what a migration made: account keys and the reasons of all others. */
  async targetDigest(): Promise<string> {
    const keys = await digestOf(this.db, 'select t::text as row, t.id from public.account_api_keys t');
    const outcomes = await digestOf(
      this.db,
      `select row(x.key_id, x.outcome, x.reason, x.account_key_id, x.source)::text as row, x.key_id as id
        from keylift.outcomes x`,
    );
    return `${keys} ${outcomes}`;
  }

  /** How many batches are done. */
  async batchesDone(): Promise<number> {
    const rows = await this.db.query<{ n: string }>(
      `select case when to_regclass('keylift.batches') is null then 0 else (xpath('/row/n/text()',
         query_to_xml('select count(*) as n from keylift.batches where state = ''done''', false, true,
           '')))[1]::text::bigint end as n`,
    );
    return Number(rows[0]!.n);
  }

  /** Time passes: the lease of a run that died ends. */
  async endLease(): Promise<void> {
    await this.db.query(`
      update keylift.runs set lease_until = clock_timestamp() - interval '1 s' where ended_at is null;
      update keylift.control set owned_until = clock_timestamp() - interval '1 s'`);
  }

  /**
   * Compares `authorize` with the model, for every token there is (and one there is not) × every API. The empty token
   * has tests of its own.
   *
   * @returns how many pairs were compared
   */
  async everyPair(switched: Switched): Promise<number> {
    return this.#compare(ASK_FUNCTION, switched, (expected) => (expected === undefined ? [] : [expected]));
  }

  /** The same for the view, as an old gateway asks it: the living rows of a token and an API, the earliest first. */
  async everyView(switched: Switched): Promise<number> {
    return this.#compare(
      ASK_VIEW,
      switched,
      (expected) => expected && { key_id: expected.key_id, account_id: expected.account_id },
    );
  }

  async #compare(
    question: string,
    switched: Switched,
    wanted: (expected: Answer | undefined) => unknown,
  ): Promise<number> {
    const world = await this.world();
    const judged = judge(world, this.held);
    const tokens = new Set([...world.keys, ...world.born].map((key) => key.token).filter((token) => token !== ''));
    const apis = [...world.apis.keys(), '987654321'];
    const asked = await this.db.query<{ token: string | null; api: string; said: unknown }>(question, [
      [...tokens, 'nobody has this one'],
      apis,
    ]);
    const wrong = asked.flatMap(({ token, api, said }) => {
      const expected = wanted(answer({ world, judged, switched }, token, api));
      return JSON.stringify(said) === JSON.stringify(expected ?? null) ? [] : [{ token, api, expected, said }];
    });
    expect(wrong, `of ${String(asked.length)} pairs`).to.deep.equal([]);
    return asked.length;
  }
}

const ASK_FUNCTION = `
  select t.token, a.api,
    (select coalesce(json_agg(json_build_object('key_id', f.key_id::text, 'account_id', f.account_id::text, 'source',
      f.source)), '[]')
     from keylift.authorize(t.token, a.api::bigint) f) as said
  from unnest($1::text[]) as t (token) cross join unnest($2::text[]) as a (api)`;

const ASK_VIEW = `
  select t.token, a.api,
    (select json_build_object('key_id', v.id::text, 'account_id', v.account_id::text) from keylift.per_api_keys v
     where v.token = t.token and v.api_id = a.api::bigint and v.revoked_at is null and (v.expires_at is null
       or v.expires_at > now())
       and exists (select from public.apis known where known.id = v.api_id)
     order by v.created_at, v.id limit 1) as said
  from unnest($1::text[]) as t (token) cross join unnest($2::text[]) as a (api)`;

async function digestOf(db: TestDatabase, rows: string): Promise<string> {
  const [row] = await db.query<{ digest: string }>(
    `select count(*) || ':' || md5(coalesce(string_agg(row, E'\\n' order by id), '')) as digest from (${rows}) r`,
  );
  return row!.digest;
}
