import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { Scenario } from '../support/scenario.js';

/** Keys that are rows of the APIs or of the accounts, each with the configuration that says so. */
const SHAPES: Record<string, { tables: string; config: object; gate: string }> = {
  "the APIs' own table": {
    tables: `create table public.accounts (id int primary key, name text);
      create table public.environments (id int primary key, name text, created_at timestamptz default now(), account_id int, api_key text unique);
      insert into public.accounts values (1, 'acme'); insert into public.environments values (1, 'prod', now(), 1, 'token one')`,
    config: {
      legacy: {
        keys: {
          table: 'environments',
          token: 'api_key',
          lastUsedAt: null,
          revokedAt: null,
          expiresAt: null,
          api: 'id',
        },
        apis: { table: 'environments', slug: 'name', inStore: { sql: 'true' } },
      },
    },
    gate: 'keys_in_apis',
  },
  "the accounts' own table": {
    tables: `create table public.apis (id int primary key, slug text, kind text);
      create table public.users (id int primary key, name text, created_at timestamptz default now(), api_id int, api_key text unique);
      insert into public.apis values (1, 'invoices', 'store'); insert into public.users values (1, 'ann', now(), 1, 'token one')`,
    config: {
      legacy: {
        keys: { table: 'users', token: 'api_key', lastUsedAt: null, revokedAt: null, expiresAt: null, account: 'id' },
        accounts: { table: 'users' },
      },
    },
    gate: 'keys_in_accounts',
  },
  'a table of which the APIs are a partition': {
    tables: `create table public.accounts (id int primary key, name text); insert into public.accounts values (1, 'acme');
      create table public.keys (id int primary key, name text, created_at timestamptz default now(), account_id int, api_key text) partition by range (id);
      create table public.apis partition of public.keys for values from (0) to (1000);
      insert into public.keys values (1, 'prod', now(), 1, 'token one')`,
    config: {
      legacy: {
        keys: { table: 'keys', token: 'api_key', lastUsedAt: null, revokedAt: null, expiresAt: null, api: 'id' },
        apis: { table: 'apis', slug: 'name', inStore: { sql: 'true' } },
      },
    },
    gate: 'keys_in_apis',
  },
};

describe('keys in', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open({ schema: 'none' });
  });
  afterEach(() => scenario.close());

  for (const [what, { tables, config, gate }] of Object.entries(SHAPES)) {
    it(`${what} are refused by check and migrate, with the reason and a way out`, async () => {
      await scenario.db.query(tables);
      const flag = `--config ${await scenario.file('config.json', JSON.stringify(config))}`;
      const ended = await keylift(`check --json ${flag}`, { env: { DATABASE_URL: scenario.db.url } });
      expect(ended.exitCode, ended.stderr).to.equal(2);
      const { faults } = JSON.parse(ended.stdout) as { faults: { kind: string; way_out: string }[] };
      expect(faults.filter(({ kind }) => kind === 'surroundings').map(({ way_out: wayOut }) => wayOut)).to.satisfy(
        ([wayOut, ...others]: string[]) => wayOut!.includes('a table of their own') && others.length === 0,
      );
      const { exitCode, stderr } = await scenario.run(`migrate --yes ${flag}`);
      expect([exitCode, stderr.includes(`${gate}: `)], stderr).to.deep.equal([3, true]);
      expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
    });
  }

  it('a table that a view of the APIs reads are refused', async () => {
    await scenario.db.query(`
      create table public.accounts (id int primary key, name text); insert into public.accounts values (1, 'acme');
      create table public.api_keys (id int primary key, account_id int, api_id int, name text, token text, created_at timestamptz default now(),
        last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz);
      insert into public.api_keys values (1, 1, 1, 'one', 'token one');
      create view public.named as select id, api_id, name from public.api_keys;
      create view public.apis as select distinct api_id as id, 'api ' || api_id as slug, 'store' as kind from public.named`);
    const { stderr } = await scenario.run('migrate --yes');
    expect(stderr).to.include('keys_in_apis: ');
  });
});

describe('ids that are tokens', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open({ schema: 'none' });
  });
  afterEach(() => scenario.close());

  const tables = (secret: string): string => `
    create table public.accounts (id int primary key, name text); create table public.apis (id int primary key, slug text, kind text);
    insert into public.accounts values (1, 'acme'); insert into public.apis values (1, 'invoices', 'store');
    create table public.api_keys (id text primary key, account_id int, api_id int, name text, secret text, raw bytea, created_at timestamptz default now(),
      last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz);
    insert into public.api_keys (id, account_id, api_id, name, secret, raw)
      select id, 1, 1, 'key', ${secret}, convert_to(id, 'UTF8') from (select 'plaintext-secret-' || n as id from generate_series(1, 20) n) given`;

  const refused = async (token: unknown): Promise<void> => {
    const flag = `--config ${await scenario.file('config.json', JSON.stringify({ legacy: { keys: { token } } }))}`;
    for (const command of ['check', 'plan --json', 'migrate --yes', 'explain plaintext-secret-7']) {
      const { exitCode, stdout, stderr } = await keylift(`${command} ${flag}`, {
        env: { DATABASE_URL: scenario.db.url },
      });
      expect(exitCode, `${command}\n${stdout}${stderr}`).to.equal(2);
      expect(stdout + stderr)
        .to.include('legacy.keys.id: is the token')
        .and.not.include('plaintext-secret');
    }
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  };

  for (const [what, { secret, token }] of Object.entries({
    'in another column': { secret: 'id', token: 'secret' },
    'by an expression of the column': { secret: 'null', token: { sql: '(k."id")::text' } },
    'in other letters': { secret: 'upper(id)', token: 'secret' },
    'as their digest': { secret: `encode(sha256(id::bytea), 'hex')`, token: 'secret' },
    'as bytes': { secret: 'null', token: 'raw' },
  })) {
    it(`are refused by every command, ${what}`, async () => {
      await scenario.db.query(tables(secret));
      await refused(token);
    });
  }

  it('are taken where they only begin the token, or are equal to it in one row of numbers', async () => {
    await scenario.db.query(tables(`id || '.' || md5(random()::text)`));
    const flag = `--config ${await scenario.file('config.json', JSON.stringify({ legacy: { keys: { token: 'secret' } } }))}`;
    await scenario.must(`plan ${flag}`);
    await scenario.db.query(`
      truncate public.api_keys; alter table public.api_keys alter id type int using id::int;
      insert into public.api_keys (id, account_id, api_id, secret) values (7, 1, 1, '7'), (8, 1, 1, 'another')`);
    await scenario.must(`plan ${flag}`);
    await scenario.db.query(`update public.api_keys set secret = id::text`);
    expect((await keylift(`plan ${flag}`, { env: { DATABASE_URL: scenario.db.url } })).exitCode).to.equal(2);
  });
});
