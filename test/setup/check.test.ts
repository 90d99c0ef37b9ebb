import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { schemaOf } from '../schemas/answers.js';
import { anchorsOf, readDocument } from '../docs/headings.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

interface Fault {
  at: string;
  kind: string;
  problem: string;
  did_you_mean: string | null;
  place: { line: string; column: number } | null;
  way_out: string | null;
}
interface Report {
  ok: boolean;
  config: string | null;
  faults: Fault[];
  notes: { at: string; note: string }[];
}

describe('check', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  /** Runs the command, holds its document against the schema, and looks that nothing was made. */
  const check = async (config?: object, { url = scenario.db.url, exitCode = 2 } = {}): Promise<Report> => {
    const flag = config === undefined ? '' : ` --config ${await scenario.file('shop.json', JSON.stringify(config))}`;
    const before = await catalogDigest(scenario.db);
    const ended = await keylift(`check --json${flag}`, { env: { DATABASE_URL: url } });
    expect(ended.exitCode, ended.stdout + ended.stderr).to.equal(exitCode);
    expect(await catalogDigest(scenario.db)).to.equal(before);
    const report = JSON.parse(ended.stdout) as Report;
    const validate = schemaOf('check');
    expect(validate(report), JSON.stringify(validate.errors)).to.equal(true);
    expect(report.ok).to.equal(exitCode === 0);
    return report;
  };
  const lines = ({ faults }: Report): string[] =>
    faults.map(
      ({ at, kind, problem, did_you_mean: meant }) =>
        `${at} [${kind}] ${problem}${meant === null ? '' : ` → ${meant}`}`,
    );
  const keys = (values: object): object => ({ legacy: { keys: values } });

  it('finds nothing wrong with the default, before, during and after a migration', async () => {
    const { notes, ...report } = await check(undefined, { exitCode: 0 });
    expect(report).to.deep.equal({ ok: true, config: null, faults: [], surroundings: [] });
    // One of these keys has a revocation date in the future.
    expect(notes.map(({ at }) => at)).to.deep.equal(['legacy.keys.revokedAt']);
    for (const command of ['migrate --yes --until expand', 'migrate --yes', 'finalize --yes', 'rollback --yes']) {
      await scenario.must(command, 0, 6);
      await check(undefined, { exitCode: 0 });
    }
  });

  it('names every fault at once, each by its key, with what was meant', async () => {
    await scenario.db.query(
      'create schema shop; create table shop."Apis" (id text primary key, "Slug" text, kind text)',
    );
    const report = await check({
      legacy: {
        keys: {
          token: 'tokn',
          name: 'label',
          createdAt: { sql: 'k.created_att' },
          lastUsedAt: 'token',
          revokedAt: { sql: 'k.revoked_at IS NOT NULL' },
          expiresAt: { sql: 'now() +' },
          carry: ['prefix', 'Name'],
          where: { sql: 'k.name' },
          timeZone: 'Mars/Olympus',
        },
        apis: { table: 'public.Apis', slug: 'Slug' },
        accounts: { table: 'acounts' },
      },
      target: { table: 'nowhere.keys' },
    });
    expect(lines(report)).to.deep.equal([
      'legacy.keys.token [column] no column "tokn" → "token"',
      'legacy.keys.name [column] no column "label", there ' +
        'are id, account_id, api_id, name, token, created_at, last_used_at, revoked_at, expires_at',
      'legacy.keys.carry[0] [column] no column "prefix", ' +
        'there are id, account_id, api_id, name, token, created_at, last_used_at, revoked_at, expires_at',
      'legacy.keys.carry[1] [column] no column "Name" → "name"',
      'legacy.apis.slug [column] no column "Slug" → "slug"',
      'legacy.accounts.table [table] no table public.acounts → public.accounts',
      'legacy.keys.createdAt [expression] column k.created_att ' +
        'does not exist (Perhaps you meant to reference the column "k.created_at".)',
      'legacy.keys.lastUsedAt [type] is text, not a date ' +
        'and time; { "sql": "k.\\"token\\"::timestamptz" } would read it as one',
      'legacy.keys.revokedAt [type] is boolean, not a ' +
        'date and time; { "sql": "CASE WHEN (k.revoked_at IS NOT NULL) THEN k.updated_at END" } would say since when',
      'legacy.keys.expiresAt [expression] syntax error at or near ")"',
      'legacy.keys.where [type] is text, not a boolean condition',
      'legacy.keys.timeZone [type] no time zone "Mars/Olympus" in this server\'s list',
      'target.table [target] no schema nowhere',
    ]);
  });

  it('finds a table in another schema, and one whose capital letters want quotes', async () => {
    await scenario.db.query(
      'create schema shop; alter table public.api_keys set schema shop; alter table public.apis rename to "Apis"',
    );
    expect(lines(await check({ legacy: { apis: { table: 'public.Apis' } } }))).to.deep.equal([
      'legacy.keys.table [table] no table public.api_keys → shop.api_keys',
      'legacy.apis.table [table] no table public.apis → public."Apis"',
    ]);
  });

  it('tells a token, an id and references of a wrong type', async () => {
    await scenario.db.query(
      `alter table public.api_keys alter id drop identity;
        alter table public.api_keys alter token type uuid using null, alter id type bytea using id::text::bytea,
          alter account_id type text, alter api_id type numeric`,
    );
    expect(lines(await check())).to.deep.equal([
      'legacy.keys.id [type] is bytea; an id is an integer, a uuid or text',
      'legacy.keys.token [type] is uuid, neither text nor bytes; { "sql": "k.\\"token\\"::text" } would make it text',
      'legacy.keys.account [type] operator does not exist: ' +
        'bigint = text (No operator matches the given ' +
        'name and argument types. You might need to add explicit type casts.)',
    ]);
  });

  it('tells an account that no foreign key could point with', async () => {
    await scenario.db.query('alter table public.api_keys alter account_id type numeric');
    const { faults } = await check();
    expect(faults.map(({ at, kind }) => [at, kind])).to.deep.equal([['legacy.keys.account', 'unique_key']]);
    await check(keys({ account: { sql: 'k.account_id::bigint' } }), { exitCode: 0 });
  });

  it('tells an expression that looks at what is not there where it stands', async () => {
    const report = await check({
      legacy: {
        keys: { account: { sql: 'o.id' }, api: { sql: 'a.id' } },
        apis: { inStore: { sql: 'k.id > 0' } },
        accounts: { name: { sql: 'k.name' } },
      },
    });
    expect(report.faults.map(({ at, kind }) => [at, kind])).to.deep.equal([
      ['legacy.keys.api', 'expression'],
      ['legacy.keys.account', 'expression'],
      ['legacy.apis.inStore', 'expression'],
      ['legacy.accounts.name', 'expression'],
    ]);
  });

  for (const [what, { wrong, at, kind, problem }] of Object.entries({
    'a view for the key table': {
      wrong: 'alter table public.api_keys rename to real_keys; create view public.api_keys as table public.real_keys',
      at: 'legacy.keys.table',
      kind: 'table',
      problem: 'is not a table but a view',
    },
    'a view for the accounts': {
      wrong: `alter table public.accounts rename to real_accounts;
          create view public.accounts as table public.real_accounts`,
      at: 'legacy.accounts.table',
      kind: 'table',
      problem: 'is not a table but a view',
    },
    'a foreign table': {
      wrong: `create extension file_fdw; create server files foreign data wrapper file_fdw;
        alter table public.api_keys rename to real_keys;
        create foreign table public.api_keys (id bigint, account_id bigint, api_id bigint, name text, token text,
          created_at timestamptz, last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz)
        server files options (filename '/dev/null', format 'csv')`,
      at: 'legacy.keys.table',
      kind: 'table',
      problem: 'is not a table but a foreign table',
    },
    'a table that others inherit from': {
      wrong: 'create table public.more_keys () inherits (public.api_keys)',
      at: 'legacy.keys.table',
      kind: 'table',
      problem: 'other tables inherit from',
    },
    'no unique key': {
      wrong: 'alter table public.api_keys drop constraint api_keys_pkey',
      at: 'legacy.keys.id',
      kind: 'unique_key',
      problem: 'no unique index on id alone',
    },
    'a unique key that waits for the commit': {
      wrong: 'alter table public.api_keys drop constraint api_keys_pkey, add unique (id) deferrable',
      at: 'legacy.keys.id',
      kind: 'unique_key',
      problem: 'not deferrable',
    },
    'a unique key of a part of the rows': {
      wrong: `alter table public.api_keys drop constraint api_keys_pkey;
          create unique index on public.api_keys (id) where revoked_at is null`,
      at: 'legacy.keys.id',
      kind: 'unique_key',
      problem: 'whole',
    },
    'a unique key of two columns': {
      wrong:
        'alter table public.api_keys drop constraint api_keys_pkey; create unique index on public.api_keys (id, token)',
      at: 'legacy.keys.id',
      kind: 'unique_key',
      problem: 'alone',
    },
    'rows without an id': {
      wrong: `alter table public.api_keys drop constraint api_keys_pkey;
        alter table public.api_keys alter id drop identity, alter id drop not null;
        create unique index on public.api_keys (id);
        insert into public.api_keys (token) values ('no id')`,
      at: 'legacy.keys.id',
      kind: 'unique_key',
      problem: 'has rows without id',
    },
    "the new table's name taken": {
      wrong: 'create table public.account_api_keys ()',
      at: 'target.table',
      kind: 'target',
      problem: 'already there',
    },
    'a trigger of keylift left behind': {
      wrong: `create function public.nothing() returns trigger language plpgsql as 'begin return null; end';
        create trigger keylift_insert after insert on public.api_keys execute function public.nothing()`,
      at: 'legacy.keys.table',
      kind: 'triggers',
      problem: 'keylift_insert',
    },
  })) {
    it(`tells ${what}, and migrate refuses it`, async () => {
      await scenario.db.query(wrong);
      const { faults } = await check();
      expect(faults.map((fault) => [fault.at, fault.kind])).to.deep.equal([[at, kind]]);
      expect(faults[0]!.problem).to.include(problem);
      expect(faults[0]!.way_out).to.be.a('string');
      const { exitCode, stderr } = await scenario.run('migrate --yes');
      expect([exitCode, stderr.includes(problem)], stderr).to.deep.equal([3, true]);
      const anchor = /runbook\.md#(gate-[a-z-]+)/.exec(stderr)?.[1];
      expect(anchorsOf(readDocument('runbook.md'))).to.include(anchor);
    });
  }

  it('tells what a role may not do, and no more where it may not even look', async () => {
    const reader = await createReader(scenario.db);
    try {
      const { faults } = await check(undefined, { url: reader.url });
      expect(new Set(faults.map(({ kind }) => kind))).to.deep.equal(new Set(['rights']));
      expect(faults.map(({ problem }) => problem).join())
        .to.include('ownership of the keys table')
        .and.include('INSERT on the keys');
      const text = (await scenario.run('check', { url: reader.url })).stdout;
      expect(text).to.match(/^the default configuration fits this database\n\nThis role lacks rights: \d+ faults\n/);
      await scenario.db.query(`create schema shut; alter table public.accounts set schema shut`);
      const shut = await check({ legacy: { accounts: { table: 'shut.accounts' } } }, { url: reader.url });
      expect(shut.faults.map(({ problem }) => problem).join()).to.include('schema shut');
    } finally {
      await reader.drop();
    }
  });

  describe('of a role that row-level security binds', () => {
    const role = () => `checker_of_${scenario.db.name}`;
    const url = () => {
      const at = new URL(scenario.db.url);
      [at.username, at.password] = [role(), 'reads-a-part'];
      return at.href;
    };
    beforeEach(() =>
      scenario.db.query(`
      create role ${role()} login password 'reads-a-part'; grant usage on schema public to ${role()};
      grant select on all tables in schema public to ${role()};
      alter table public.api_keys enable row level security;
      create policy a_part on public.api_keys for select using (id < 10)`),
    );
    afterEach(async () => {
      await scenario.db.query(`drop owned by ${role()}; drop role ${role()}`);
    });

    it('refuses, and so does every command that would take a part for the whole', async () => {
      expect(
        (await check(undefined, { url: url() })).faults
          .filter(({ kind }) => kind === 'row_security')
          .map(({ at }) => at),
      ).to.deep.equal(['legacy.keys.table']);
      for (const command of ['plan', 'status', 'migrate --yes']) {
        const { exitCode, stderr } = await scenario.run(command, { url: url() });
        expect(
          [exitCode, stderr.includes('row_security: '), stderr.includes('runbook.md#gate-row-security')],
          `${command}: ${stderr}`,
        ).to.deep.equal([3, true, true]);
      }
    });

    it('lets pass who bypasses it', async () => {
      await scenario.db.query(`alter role ${role()} bypassrls`);
      expect(
        (await check(undefined, { url: url() })).faults.filter(({ kind }) => kind === 'row_security'),
      ).to.deep.equal([]);
      const planned = await scenario.run('plan --json', { url: url() });
      expect(planned.exitCode, planned.stderr).to.equal(6);
      expect(planned.json().total).to.equal(MOTLEY.keys.length);
    });

    it('refuses a hidden table that only an expression looks at', async () => {
      await scenario.db.query(`alter table public.api_keys disable row level security;
          create table public.owners as select id, account_id from public.api_keys;
        grant select on public.owners to ${role()}; alter table public.owners enable row level security`);
      const config = await scenario.file(
        'shop.json',
        JSON.stringify(keys({ account: { sql: '(select w.account_id from public.owners w where w.id = k.id)' } })),
      );
      const { exitCode, stderr } = await scenario.run(`plan --config ${config}`, { url: url() });
      expect([exitCode, stderr.includes('owners')], stderr).to.deep.equal([3, true]);
    });
  });

  it('says what is no fault and good to know', async () => {
    await scenario.db.query(`
      alter table public.api_keys alter expires_at type timestamp, add prefix text, alter id drop identity;
      drop index public.api_keys_token;
      create unique index prefixes on public.api_keys (lower(prefix)); update public.apis set kind = 'custom'`);
    const { notes } = await check(
      keys({ revokedAt: null, carry: ['prefix'], createdAt: { sql: 'coalesce(k.created_at, o.created_at)' } }),
      { exitCode: 0 },
    );
    expect(notes.map(({ at }) => at)).to.deep.equal([
      'legacy.apis.inStore',
      'legacy.keys.expiresAt',
      'legacy.keys.revokedAt',
      'legacy.keys.id',
      'legacy.keys.createdAt',
      'legacy.keys.token',
      'legacy.keys.carry',
    ]);
    expect(notes[1]!.note).to.include('timestamp without time zone').and.include('here UTC');
  });

  it('warns of revocation dates in the future, and names the mapping that makes each an expiry', async () => {
    const { db } = scenario;
    const warnings = async (config?: object): Promise<string[]> =>
      (await check(config, { exitCode: 0 })).notes
        .filter(({ at }) => at === 'legacy.keys.revokedAt')
        .map(({ note }) => note);
    await db.query(`update public.api_keys set revoked_at = now() - interval '1 hour'`);
    expect(await warnings()).to.deep.equal([]);
    await db.query(
      `update public.api_keys set revoked_at = now() + interval '7 days' where id = (select min(id) from public.api_keys)`,
    );
    const [both] = await warnings();
    expect(both)
      .to.match(/^1 per-API key has a revocation date in the future: keylift takes such a key for dead at once/)
      .and.include('"revokedAt":null,"expiresAt":{"sql":"least(k.expires_at, k.revoked_at)"}');
    expect((await warnings(keys({ expiresAt: null })))[0]).to.include('"revokedAt":null,"expiresAt":"revoked_at"');
    // The mapping that the warning names fits, and does not warn.
    const named = { revokedAt: null, expiresAt: { sql: 'least(k.expires_at, k.revoked_at)' } };
    expect((await warnings(keys(named))).join()).not.to.include('in the future');
  });

  it('says the same to people', async () => {
    const config = await scenario.file('shop.json', JSON.stringify(keys({ token: 'tokn', expiresAt: null })));
    const wrong = await scenario.run(`check --config ${config}`);
    expect([wrong.exitCode, wrong.stdout]).to.deep.equal([
      2,
      `${config} does not fit this database: 1 fault\n  legacy.keys.token: no column "tokn", did you mean "token"?\n`,
    ]);
    await scenario.db.query('update public.api_keys set revoked_at = null where revoked_at > now()');
    const right = await scenario.run('check');
    expect([right.exitCode, right.stdout]).to.deep.equal([0, 'the default configuration fits this database\n']);
  });
});
