import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import type { Settings } from '../../src/config/settings.js';
import { keylift, type Outcome } from '../cli/harness.js';
import { schemaOf } from '../schemas/answers.js';
import { createTestDatabase, useTestDatabase } from '../support/database.js';
import { MOTLEY } from '../support/motley.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { plant } from '../support/seed.js';
import { errorCodeOf } from '../support/error-document.js';

interface Note {
  at: string;
  kind: 'guess' | 'doubt';
  note: string;
}
interface Answer {
  config: Settings;
  notes: Note[];
  files: { config: string; notes: string } | null;
}

describe('init', () => {
  const database = useTestDatabase({ each: true });
  let cwd: string;
  beforeEach(async () => {
    cwd = await mkdtemp(path.join(os.tmpdir(), 'keylift-init-'));
  });
  afterEach(() => rm(cwd, { recursive: true }));
  const run = (line: string, url = database().url): Promise<Outcome> =>
    keylift(line, { env: { DATABASE_URL: url }, cwd });
  const at = (name: string): string => path.join(cwd, name);

  /** The draft as a document; nothing in the database may have changed. */
  const draft = async (flags = '--dry-run', url = database().url): Promise<Answer> => {
    const { exitCode, stdout, stderr } = await run(`init --json ${flags}`, url);
    expect(exitCode, stderr).to.equal(0);
    const answer = JSON.parse(stdout) as Answer;
    const validate = schemaOf('init');
    expect(validate(answer), JSON.stringify(validate.errors)).to.equal(true);
    return answer;
  };
  const doubts = ({ notes }: Answer): string[] => notes.filter(({ kind }) => kind === 'doubt').map((note) => note.at);

  it('finds the default tables, and writes what check is content with', async () => {
    await plant(database(), MOTLEY);
    const before = await catalogDigest(database());
    const { exitCode, stdout } = await run('init');
    expect([exitCode, stdout.includes(`wrote ${at('keylift.config.json')}`)]).to.deep.equal([0, true]);
    expect(await catalogDigest(database())).to.equal(before);
    const written = JSON.parse(await readFile(at('keylift.config.json'), 'utf8')) as Settings;
    // What the catalog has no word for: a foreign key would.
    expect(written).to.deep.equal({
      ...DEFAULT_SETTINGS,
      legacy: {
        ...DEFAULT_SETTINGS.legacy,
        apis: { ...DEFAULT_SETTINGS.legacy.apis, inStore: { sql: `a."kind" = 'store'` } },
      },
    });
    const notes = await readFile(at('keylift.config.notes.md'), 'utf8');
    expect(notes)
      .to.include('# Notes on keylift.config.json')
      .and.include('`legacy.apis.inStore`: of the values of "kind" ("custom", "store")')
      .and.include('no foreign key says so');
    expect((await run('check')).exitCode).to.equal(0);
    const plans = await Promise.all([
      run('plan --json'),
      keylift('plan --json', { env: { DATABASE_URL: database().url } }),
    ]);
    expect(plans[0].stdout).to.equal(plans[1].stdout);
  });

  it('overwrites nothing unasked: not the configuration, not the notes, not what --config names', async () => {
    for (const [file, flag] of [
      ['keylift.config.json', ''],
      ['keylift.config.notes.md', ''],
      ['shop.json', '--config shop.json'],
      ['shop.notes.md', '--config shop.json'],
    ] as const) {
      await writeFile(at(file), 'precious');
      for (const json of ['', '--json']) {
        const { exitCode, stdout, stderr } = await run(`init ${flag} ${json}`);
        const said = json === '' ? stdout : errorCodeOf(stdout);
        expect([exitCode, said], stderr).to.deep.equal([3, json === '' ? '' : 'config_exists']);
        expect(stderr).to.include(file).and.include('--force');
      }
      expect(await readFile(at(file), 'utf8')).to.equal('precious');
      expect((await run(`init --dry-run ${flag}`)).exitCode).to.equal(0);
      expect(await readFile(at(file), 'utf8')).to.equal('precious');
      await rm(at(file));
    }
    await writeFile(at('shop.json'), 'not even JSON');
    const answer = await draft('--config shop.json --force');
    expect(answer.files).to.deep.equal({ config: at('shop.json'), notes: at('shop.notes.md') });
    expect(JSON.parse(await readFile(at('shop.json'), 'utf8'))).to.deep.equal(answer.config);
  });

  it('writes no file with --dry-run, and prints what would stand in it', async () => {
    const { exitCode, stdout } = await run('init --dry-run');
    expect([
      exitCode,
      stdout.includes('"table": "public.api_keys"'),
      stdout.includes('No file was written.'),
    ]).to.deep.equal([0, true, true]);
    expect((await draft()).files).to.equal(null);
    for (const file of ['keylift.config.json', 'keylift.config.notes.md']) expect(existsSync(at(file))).to.equal(false);
  });

  it('says why a file cannot be written, exit 2', async () => {
    const { exitCode, stderr } = await run('init --config nowhere/shop.json');
    expect([exitCode, stderr.includes('nowhere'), stderr.includes('ENOENT')], stderr).to.deep.equal([2, true, true]);
  });

  it('refuses where no table looks as if it held API keys, and names those there are', async () => {
    await database().query(
      `drop table public.api_keys;
        create table public.sessions (id bigint primary key, token text, created_at timestamptz, user_id bigint)`,
    );
    const { exitCode, stdout, stderr } = await run('init');
    expect(
      [exitCode, stdout, stderr.includes('public.sessions'), existsSync(at('keylift.config.json'))],
      stderr,
    ).to.deep.equal([2, '', true, false]);
  });

  it('works for a role that may only read, and reads no more of the catalog than all may', async () => {
    await plant(database(), MOTLEY);
    const reader = await createReader(database());
    try {
      expect((await draft('--dry-run', reader.url)).config).to.deep.equal((await draft()).config);
      await database().query(`revoke select on public.apis from reader_of_${database().name}`);
      const blind = await draft('--dry-run', reader.url);
      expect(blind.config.legacy.apis.inStore).to.deep.equal({ sql: 'a."owner_account_id" IS NULL' });
    } finally {
      await reader.drop();
    }
  });

  it('prints no token', async () => {
    await plant(database(), MOTLEY);
    await database().query(`alter table public.apis add type text; update public.apis set type = 'sécret+type'`);
    for (const line of ['init --dry-run', 'init --dry-run --json', 'init --log-level debug']) {
      const { stdout, stderr } = await run(line);
      expect(stdout + stderr).not.to.match(/sécret\+(?!type)/);
    }
  });

  describe('among tables that leave room for doubt', () => {
    /** A database of its own with these tables, and its draft. */
    const drafted = async (tables: string): Promise<Answer> => {
      const other = await createTestDatabase({ schema: 'none' });
      try {
        await other.query(tables);
        return await draft('--dry-run', other.url);
      } finally {
        await other.drop();
      }
    };
    const OTHERS = `create table public.customers (id bigint primary key, name text);
      create table public.products (id bigint primary key, slug text, name text);`;

    it('takes the table of API keys before sessions, webhooks and its own, and names the rest', async () => {
      const answer = await drafted(`${OTHERS}
        create table public.user_sessions (id bigint primary key, token text unique, created_at timestamptz,
          expires_at timestamptz, customer_id bigint);
        create table public.account_api_keys (id bigint primary key, token text unique, created_at timestamptz,
          revoked_at timestamptz, customer_id bigint);
        create table public.access_keys (id bigint primary key, value text unique, created_at timestamptz,
          customer_id bigint, product_id bigint);
        create table public.api_keys (id bigint primary key, hash text, secret text, key text unique,
          created timestamptz, last_used timestamptz, customer_id bigint references customers,
            product_id bigint references products)`);
      const { keys, apis, accounts } = answer.config.legacy;
      expect([keys.table, keys.token, keys.api, keys.account, apis.table, accounts.table]).to.deep.equal([
        'public.api_keys',
        'key',
        'product_id',
        'customer_id',
        'public.products',
        'public.customers',
      ]);
      expect(keys.carry).to.deep.equal(['hash', 'secret']);
      const text = answer.notes.map(({ at: key, note }) => `${key}: ${note}`).join('\n');
      expect(text)
        .to.include('other candidates: public.access_keys')
        .and.include('Other candidates: "hash", "secret"')
        .and.include('account_api_keys exists already');
      expect(answer.config.target.table).to.equal('public.settings_api_keys');
    });

    it('opens nothing where nothing says which APIs are offered to everybody', async () => {
      const answer = await drafted(
        `${OTHERS} create table public.api_tokens (id bigint primary key, token text, created_at timestamptz,
          customer_id bigint, product_id bigint)`,
      );
      expect(answer.config.legacy.apis.inStore).to.deep.equal({ sql: 'false' });
      expect(doubts(answer)).to.include.members([
        'legacy.apis.inStore',
        'legacy.keys.api',
        'legacy.keys.account',
        'legacy.keys.revokedAt',
      ]);
    });

    it('knows an enum by its values, without a look at rows', async () => {
      const answer = await drafted(`${OTHERS} create type visibility as enum ('internal', 'marketplace', 'public');
          alter table public.products add visibility visibility;
        create table public.api_keys (id uuid primary key, token_hash bytea, created_at timestamptz,
          customer_id bigint, product_id bigint)`);
      expect(answer.config.legacy.apis.inStore).to.deep.equal({ sql: `a."visibility" IN ('marketplace', 'public')` });
    });

    it('does not take who made a key for whom it belongs to', async () => {
      const answer = await drafted(`
        create table public.users (id int primary key, email text);
        create table public.organizations (id int primary key, name text);
        create table public.teams (id int primary key, organization_id int references organizations,
          owner_id int references users);
        create table public.services (id int primary key, code text, is_public boolean);
        create table public.api_keys (id int primary key, created_by int references users,
          revoked_by_id int references users, group_id int references teams, service_id int references services,
          digest text, created_at timestamptz, revoked_at timestamptz, deleted_at timestamptz)`);
      expect([
        answer.config.legacy.keys.account,
        answer.config.legacy.keys.api,
        answer.config.legacy.apis.inStore,
      ]).to.deep.equal(['group_id', 'service_id', 'is_public']);
      expect(
        answer.notes.find(({ at: key, kind }) => key === 'legacy.keys.revokedAt' && kind === 'doubt')!.note,
      ).to.include('"deleted_at"');
    });

    it("leaves the default's names, and says so, where nothing leads to an API or an account", async () => {
      const answer = await drafted(
        `create table public.api_keys (id int primary key, key text unique, created_at timestamptz, status text,
          scope text)`,
      );
      expect(answer.config.legacy.accounts).to.deep.equal(DEFAULT_SETTINGS.legacy.accounts);
      const said = answer.notes
        .filter(({ kind }) => kind === 'doubt')
        .map(({ at: key, note }) => `${key}: ${note}`)
        .join('\n');
      expect(said)
        .to.include('legacy.keys.account: nothing in the key table leads to an account')
        .and.include('legacy.accounts.table: correct this first: no table public.accounts')
        .and.include('does "status" say that a key is dead')
        .and.include('the new table has its own: "scope"');
    });
  });
});
