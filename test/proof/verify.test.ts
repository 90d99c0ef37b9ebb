import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { predictedGain, readWorld } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';

interface Proof {
  ok: boolean;
  keys: Record<'compared' | 'missing' | 'extra' | 'different', number>;
  authorization: Record<
    'lost' | 'gained_store' | 'predicted_gained_store' | 'gained_custom' | 'gained_foreign' | 'revived',
    number
  >;
  differences: { key_id: string; kind: string; fields?: string[]; authorization?: string[]; api_id?: string }[];
}

const WITHOUT_TRIGGERS = 'set session_replication_role = replica;';

/** The resolver under another name, and in its place one that passes its answers on as told. */
const wrapped = (select: string) => `
  do $do$ begin
    execute replace(replace(pg_get_functiondef('keylift.authorize(text, bigint)'::regprocedure), 'authorize(',
      'authorize_before('), 'authorize.', 'authorize_before.');
  end $do$;
  create or replace function keylift.authorize(token text, api_id bigint) returns table (key_id bigint,
    account_id bigint, source text)
  language sql stable as $$ ${select} $$`;

/** authorize as it is, and open where it must not be. */
const opening = (condition: string) =>
  wrapped(`
  select * from keylift.authorize_before($1, $2)
  union all select k.id, k.account_id, 'account' from public.api_keys k
    where k.token = $1 and ${condition} and not exists (select from keylift.authorize_before($1, $2))`);

/** What somebody did past the mirror, the key it must be reported for, and how. */
const DAMAGES: [
  name: string,
  sql: string,
  key: string,
  expected: { kind?: string; fields?: string[]; counters: Partial<Proof['keys'] & Proof['authorization']> },
][] = [
  [
    'a changed name',
    `update public.account_api_keys set name = 'invoice-api-key ' where id = 1`,
    '1',
    { kind: 'different', fields: ['name'], counters: { different: 1 } },
  ],
  [
    'a name that became NULL',
    `update public.account_api_keys set name = null where id = 8`,
    '8',
    { kind: 'different', fields: ['name'], counters: { different: 1 } },
  ],
  [
    'a name composed anew',
    `update public.account_api_keys set name = normalize(name) where id = 10`,
    '10',
    { kind: 'different', fields: ['name'], counters: { different: 1 } },
  ],
  [
    'a creation date off by a microsecond',
    `update public.account_api_keys set created_at = created_at + interval '1 microsecond' where id = 1`,
    '1',
    { kind: 'different', fields: ['created_at'], counters: { different: 1 } },
  ],
  [
    'a missing row',
    'delete from public.account_api_keys where id = 2',
    '2',
    { kind: 'missing', counters: { missing: 1 } },
  ],
  [
    'a missing dead row',
    'delete from public.account_api_keys where id = 4',
    '4',
    { kind: 'missing', counters: { missing: 1, lost: 0 } },
  ],
  [
    'a row from nowhere',
    `insert into public.account_api_keys (id, account_id, token, origin_api_id) values (777, 1, 'from nowhere', 1)`,
    '777',
    { kind: 'extra', counters: { extra: 1 } },
  ],
  [
    'a row whose source is gone',
    'delete from public.api_keys where id = 6',
    '6',
    { kind: 'extra', counters: { extra: 1 } },
  ],
  [
    'a revoked key that lives again',
    'update public.account_api_keys set revoked_at = null where id = 4',
    '4',
    { kind: 'different', fields: ['revoked_at'], counters: { different: 1, revived: 1 } },
  ],
  [
    'an expired key that lives again',
    'update public.account_api_keys set expires_at = null where id = 5',
    '5',
    { kind: 'different', fields: ['expires_at'], counters: { different: 1, revived: 1 } },
  ],
  [
    'a revocation that did not arrive',
    'update public.api_keys set revoked_at = now() where id = 7',
    '7',
    { kind: 'different', fields: ['revoked_at'], counters: { different: 1, revived: 1 } },
  ],
  [
    'a key revoked in the new table alone',
    'update public.account_api_keys set revoked_at = now() where id = 7',
    '7',
    { kind: 'different', fields: ['revoked_at'], counters: { different: 1, lost: 1 } },
  ],
  [
    'a changed account',
    'update public.account_api_keys set account_id = 2 where id = 1',
    '1',
    { kind: 'different', fields: ['account_id'], counters: { different: 1, gained_foreign: 1 } },
  ],
  [
    'a changed origin',
    'update public.account_api_keys set origin_api_id = 3 where id = 1',
    '1',
    { kind: 'different', fields: ['origin_api_id'], counters: { different: 1 } },
  ],
  [
    'another scope',
    `alter table public.account_api_keys drop constraint account_api_keys_scope_check;
      update public.account_api_keys set scope = 'everything' where id = 1`,
    '1',
    { kind: 'different', fields: ['scope'], counters: { different: 1 } },
  ],
  [
    "a custom API's key in Settings",
    `insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
      select id, account_id, name, token, api_id, created_at from public.api_keys where id = 3`,
    '3',
    { kind: 'extra', counters: { extra: 1 } },
  ],
  [
    'a held key in Settings',
    `insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
      select id, account_id, name, token, api_id, created_at from public.api_keys where id = 62`,
    '62',
    { kind: 'extra', counters: { extra: 1 } },
  ],
  [
    'an exception in Settings',
    `insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
      select id, account_id, name, token, api_id, created_at from public.api_keys where id = 31`,
    '31',
    { kind: 'extra', counters: { extra: 1 } },
  ],
  [
    'a merged key forgotten',
    'delete from keylift.outcomes where key_id = 20',
    '20',
    { kind: 'missing', counters: { missing: 1 } },
  ],
  [
    'an exception forgotten',
    'delete from keylift.outcomes where key_id = 42',
    '42',
    { kind: 'missing', counters: { missing: 1 } },
  ],
  [
    'a hold forgotten',
    'delete from keylift.outcomes where key_id = 61',
    '61',
    { kind: 'missing', counters: { missing: 1 } },
  ],
  [
    "a key merged into another's",
    'update keylift.outcomes set account_key_id = 1 where key_id = 20',
    '20',
    { counters: { different: 1 } },
  ],
  [
    'an exception called a hold',
    `update keylift.outcomes set outcome = 'hold', reason = null where key_id = 31`,
    '31',
    { counters: { different: 1 } },
  ],
  [
    'authorize opening a custom API',
    opening('k.id = 1 and $2 = 4'),
    '1',
    { kind: 'gained_custom', counters: { gained_custom: 1, different: 0 } },
  ],
  [
    'authorize opening for a dead key',
    opening('k.id = 4 and $2 = 1'),
    '4',
    { kind: 'revived', counters: { revived: 1, different: 0 } },
  ],
  [
    'authorize naming another account',
    wrapped(
      `select key_id, case when key_id = 7 and $2 = 3 then 1 else account_id end, source
        from keylift.authorize_before($1, $2)`,
    ),
    '7',
    { kind: 'gained_foreign', counters: { gained_foreign: 1, different: 0 } },
  ],
  [
    'authorize shutting one out',
    wrapped('select * from keylift.authorize_before($1, $2) where key_id <> 7 or $2 <> 3'),
    '7',
    { kind: 'lost', counters: { lost: 1, different: 0 } },
  ],
];

describe('verify', () => {
  let migrated: Scenario;
  let scenario: Scenario;
  before(async () => {
    migrated = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await migrated.must(`migrate --yes --holds ${await migrated.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
  });
  beforeEach(async () => {
    scenario = await migrated.copy();
  });
  afterEach(() => scenario.close());
  after(() => migrated.close());

  const damage = async (sql: string): Promise<void> => {
    const client = await scenario.db.connect();
    await client.query(WITHOUT_TRIGGERS);
    await client.query(sql);
  };

  it('finds nothing after a clean migration, and counts what widening opened as brute force does', async () => {
    const proof = (await scenario.must('verify --json')).json<Proof>();
    const gain = predictedGain(await readWorld(scenario.db), scenario.held);
    const [moved] = await scenario.db.query<{ n: number }>(
      'select count(*)::int as n from public.account_api_keys where origin_api_id is not null',
    );
    expect(proof).to.deep.include({
      ok: true,
      keys: { compared: moved!.n, missing: 0, extra: 0, different: 0 },
      authorization: {
        lost: 0,
        gained_store: gain,
        predicted_gained_store: gain,
        gained_custom: 0,
        gained_foreign: 0,
        revived: 0,
      },
      differences: [],
    });
    expect(gain).to.be.greaterThan(10);
  });

  it('judges the new rule as it will be, whoever is switched', async () => {
    const [all] = [(await scenario.must('verify --json')).json<Proof>()];
    await scenario.must('switch --back --yes');
    const none = (await scenario.must('verify --json')).json<Proof>();
    expect([none.keys, none.authorization]).to.deep.equal([all.keys, all.authorization]);
  });

  for (const [name, sql, key, { kind, fields, counters }] of DAMAGES) {
    it(`catches ${name} and names the key`, async () => {
      await damage(sql);
      const ended = await scenario.must('verify --json', 4);
      const proof = ended.json<Proof>();
      expect(proof.ok).to.equal(false);
      const named = proof.differences.filter(({ key_id: id }) => id === key);
      expect(named.length, JSON.stringify(proof)).to.be.greaterThan(0);
      if (kind !== undefined) expect(named.map((each) => each.kind)).to.include(kind);
      if (fields !== undefined) expect(named[0]!.fields).to.deep.equal(fields);
      // The authorization counters may count the key and the pairs it opens.
      for (const [counter, least] of Object.entries(counters)) {
        const found = { ...proof.keys, ...proof.authorization }[counter as keyof typeof counters];
        if (counter in proof.keys || least === 0) expect(found, counter).to.equal(least);
        else expect(found, counter).to.be.at.least(least);
      }
    });
  }

  it('catches two swapped tokens and names both keys', async () => {
    // in two steps, as the token's index is looked at after every row
    await damage(`
      create temp table swap as select a.id, b.token from public.account_api_keys a
        join public.account_api_keys b on b.id = case a.id when 1 then 7 else 1 end where a.id in (1, 7);
      update public.account_api_keys set token = 'on its way' where id = 1;
      update public.account_api_keys t set token = swap.token from swap where swap.id = 7 and t.id = 7;
      update public.account_api_keys t set token = swap.token from swap where swap.id = 1 and t.id = 1`);
    const proof = (await scenario.must('verify --json', 4)).json<Proof>();
    expect(proof.keys).to.include({ different: 2, missing: 0 });
    expect(
      proof.differences
        .filter((d) => d.fields?.includes('token'))
        .map(({ key_id: id }) => id)
        .sort(),
    ).to.deep.equal(['1', '7']);
    expect(proof.authorization.gained_foreign).to.be.greaterThan(0);
  });

  it('catches a swap with a dead key as a revival', async () => {
    await damage(`
      create temp table swap as select a.id, b.token from public.account_api_keys a
        join public.account_api_keys b on b.id = case a.id when 1 then 4 else 1 end where a.id in (1, 4);
      update public.account_api_keys set token = 'on its way' where id = 1;
      update public.account_api_keys t set token = swap.token from swap where swap.id = 4 and t.id = 4;
      update public.account_api_keys t set token = swap.token from swap where swap.id = 1 and t.id = 1`);
    const proof = (await scenario.must('verify --json', 4)).json<Proof>();
    expect(proof.authorization.revived, JSON.stringify(proof)).to.be.greaterThan(0);
    expect(proof.authorization.lost).to.be.greaterThan(0);
  });

  it('catches everything at once and lists at most 100', async () => {
    await damage(
      `insert into public.account_api_keys (id, account_id, token, origin_api_id) select 10000 + n, 1, 'x' || n, 1
        from generate_series(1, 150) n`,
    );
    const proof = (await scenario.must('verify --json', 4)).json<Proof>();
    expect(proof.keys.extra).to.equal(150);
    expect(proof.differences).to.have.length(100);
  });

  it('names the key to a person, too', async () => {
    await damage(`update public.account_api_keys set name = 'x' where id = 9007199254740993`);
    expect((await scenario.must('verify', 4)).stdout).to.match(/key 9007199254740993: different in name/);
  });

  it('passes again once the damage is mended', async () => {
    await damage(`update public.account_api_keys set name = 'x' where id = 1`);
    await scenario.must('verify', 4);
    await damage(
      `update public.account_api_keys t set name = k.name from public.api_keys k where k.id = t.id and t.id = 1`,
    );
    await scenario.must('verify', 0);
  });

  it('catches last use up, the later of the two, and calls that no difference', async () => {
    await damage(`
      update public.api_keys set last_used_at = '2024-05-05 05:05:05.555555+00' where id = 1;
      update public.account_api_keys set last_used_at = '2024-06-06 06:06:06.666666+00' where id = 2`);
    await scenario.must('verify', 0);
    expect(
      await scenario.db.query(`
      select k.id::int, k.last_used_at = t.last_used_at as same, k.last_used_at::text from public.api_keys k
        join public.account_api_keys t on t.id = k.id
      where k.id in (1, 2) order by 1`),
    ).to.deep.equal([
      { id: 1, same: true, last_used_at: '2024-05-05 05:05:05.555555+00' },
      { id: 2, same: true, last_used_at: '2024-06-06 06:06:06.666666+00' },
    ]);
  });

  it('does not take a key born in Settings for one from nowhere', async () => {
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) values (4, 'born', 'born here')`,
    );
    expect((await scenario.must('verify --json')).json<Proof>().keys.extra).to.equal(0);
  });
});

describe('verify without anything to prove', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  it('refuses before a migration and leaves no trace', async () => {
    expect((await scenario.run('verify')).exitCode).to.equal(3);
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  });

  it('refuses after a rollback', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    expect((await scenario.run('verify')).exitCode).to.equal(3);
  });

  it('refuses while changes wait in the change log', async () => {
    await scenario.must('migrate --yes --until backfill', 6);
    const { exitCode, stdout } = await scenario.run('verify --json');
    expect([exitCode, JSON.parse(stdout)]).to.have.nested.property('1.error.code', 'not_hardened');
    expect(exitCode).to.equal(3);
  });
});

describe('verify after an API is gone', () => {
  it('keeps duplicates together when the API of the key they share is gone', async () => {
    const token = tokenOf('duplicates');
    const keys = [
      { id: 1, account: 'acme', api: 'invoices', token },
      { id: 2, account: 'acme', api: 'receipts', token },
    ];
    const scenario = await Scenario.of({ accounts: ['acme'], apis: { invoices: 'store', receipts: 'store' }, keys });
    try {
      await scenario.must('migrate --yes');
      await scenario.db.query(`delete from public.apis where slug = 'invoices'`);
      expect((await scenario.must('verify --json')).json<Proof>().differences).to.deep.equal([]);
      await scenario.must('migrate --yes');
      await scenario.must('verify');
    } finally {
      await scenario.close();
    }
  });
});

describe('the verify stage', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  for (const stage of ['harden', 'verify']) {
    it(`stops a migration that comes from ${stage} and finds a difference, with everybody on the old keys`, async () => {
      await scenario.must(`migrate --yes --until ${stage}`, 6);
      const client = await scenario.db.connect();
      await client.query(`${WITHOUT_TRIGGERS} update public.account_api_keys set revoked_at = null where id = 4`);
      const ended = await scenario.run('migrate --yes');
      expect(ended.exitCode, ended.stderr).to.equal(4);
      expect(
        await scenario.authorize(
          (await scenario.db.query<{ token: string }>('select token from public.api_keys where id = 1'))[0]!.token,
          3,
        ),
      ).to.deep.equal([]);
      expect((await scenario.must('status --json')).json()).to.include({ stage, switched: 'none' });
    });
  }
});
