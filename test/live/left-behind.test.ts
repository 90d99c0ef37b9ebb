import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { Session } from './sessions.js';
import { finish } from './sound.js';

const DAY = '2025-01-01 00:00:00.000001+00';

interface Proof {
  ok: boolean;
  keys: Record<string, number>;
  authorization: Record<string, number>;
  differences: unknown[];
}

/** What a person or an old release does, after finalize, to keys that were set aside. */
const CHANGES: Record<string, string> = {
  'a creation date is set': `update public.api_keys set created_at = '${DAY}' where id = 46`,
  'an account is found': 'update public.api_keys set account_id = 1 where id in (42, 43)',
  'a token is given': `update public.api_keys set token = '${tokenOf('given')}' where id = 44`,
  'a conflict ends by a deletion': 'delete from public.api_keys where id = 28',
  'a conflict ends by revocations': `update public.api_keys set revoked_at = '${DAY}' where id in (27, 29, 30)`,
  'a conflict ends by one expiry': `update public.api_keys set expires_at = null, revoked_at = null
    where id in (27, 28, 29, 30)`,
  "a shared token is one account's now": 'update public.api_keys set account_id = 1 where id in (32, 34)',
  'a shared token is changed': `update public.api_keys set token = '${tokenOf('changed')}' where id = 32`,
  'a token becomes that of an account key': `update public.api_keys set token = '${tokenOf(1)}' where id = 32`,
  'a token becomes that of a merged key': `update public.api_keys set token = '${tokenOf('twins')}', api_id = 3
    where id = 46`,
  'a rename': `update public.api_keys set name = 'renamed' where id in (27, 31, 60)`,
  'a revocation': `update public.api_keys set revoked_at = '${DAY}' where id in (31, 46, 60, 62)`,
  'a deletion': 'delete from public.api_keys where id in (31, 42, 46, 60, 62)',
  'a held key with another token': `update public.api_keys set token = '${tokenOf('other')}' where id = 61`,
  'a held key of another account': 'update public.api_keys set account_id = 1 where id = 62',
  'another API of the store': 'update public.api_keys set api_id = 3 where id in (31, 46, 60)',
  'a custom API': 'update public.api_keys set api_id = 4 where id in (31, 46, 60)',
  'an API that is not there': 'update public.api_keys set api_id = 98 where id in (31, 46, 60)',
  'a new key that points nowhere': `insert into public.api_keys (account_id, api_id, token)
    values (1, 98, '${tokenOf('nowhere')}'), (1, null, '${tokenOf('nothing')}')`,
  "new ids, one of them a deleted key's": `delete from public.api_keys where id = 62;
    update public.api_keys set id = case id when 31 then 62 else id + 70000 end where id in (31, 46, 60)`,
  'last use': 'update public.api_keys set last_used_at = now()',
};

/**
 * Every token × every API: a living row left behind answers for its own API, an account key for the rest of the store.
 */
const WRONG = `
  select p.token, p.api, p.expected, f.said from (
    select t.token, a.id as api, coalesce(
      (select 'per_api ' || k.id from public.api_keys k where k.token = t.token and k.api_id = a.id
        and k.revoked_at is null
         and (k.expires_at is null or k.expires_at > now()) order by k.created_at, k.id limit 1),
      (select 'account ' || n.id from public.account_api_keys n where n.token = t.token and a.kind = 'store'
        and n.revoked_at is null
         and (n.expires_at is null or n.expires_at > now()))) as expected
    from (select token from public.api_keys where length(token) > 0 union select token from public.account_api_keys) t
      cross join public.apis a) p
  left join lateral (select f.source || ' ' || f.key_id as said from keylift.authorize(p.token, p.api) f) f on true
  where f.said is distinct from p.expected`;

describe('keys that finalize leaves behind', () => {
  let finalized: Scenario;
  let scenario: Scenario;
  let proven: Proof;
  before(async () => {
    finalized = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await finalized.must(`migrate --yes --holds ${await finalized.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
    await finalized.must('finalize --yes');
    proven = (await finalized.must('verify --json')).json<Proof>();
  });
  after(() => finalized.close());
  beforeEach(async () => {
    scenario = await finalized.copy();
  });
  afterEach(() => scenario.close());

  const proof = async (): Promise<Proof> => (await scenario.must('verify --json', 0, 4)).json<Proof>();

  for (const [what, sql] of Object.entries(CHANGES)) {
    it(`go on as per-API keys, and the proof holds: ${what}`, async () => {
      await scenario.db.query(sql);
      expect(await scenario.db.query(WRONG)).to.deep.equal([]);
      const after = await proof();
      expect(after.differences).to.deep.equal([]);
      expect([after.ok, after.keys]).to.deep.equal([true, proven.keys]);
    });
  }

  /** What is done to other keys, together: a rollback, and what comes of it. */
  const TOGETHER: string[][] = [
    [
      'a creation date is set',
      'an account is found',
      'a token is given',
      'a conflict ends by a deletion',
      "a shared token is one account's now",
      'a held key with another token',
    ],
    [
      'a conflict ends by revocations',
      'a shared token is changed',
      'a token becomes that of a merged key',
      'a held key of another account',
      'a new key that points nowhere',
    ],
    ['a conflict ends by one expiry', 'a token becomes that of an account key', 'another API of the store', 'last use'],
    ['a deletion', 'a custom API'],
    ['a revocation', 'a rename', 'an API that is not there'],
  ];
  for (const changes of TOGETHER) {
    it(`are judged anew by the next migration: ${changes.join('; ')}`, async () => {
      for (const what of changes) await scenario.db.query(CHANGES[what]!);
      await scenario.must('verify');
      await scenario.must('rollback --yes');
      await scenario.everyPair('none');
      await finish(scenario);
    });
  }

  /** Written past every trigger, or into the ledger itself. */
  const SMUGGLED: Record<string, string> = {
    'an exception that nobody remembers': 'delete from keylift.outcomes where key_id = 46',
    'a hold that nobody remembers': 'delete from keylift.outcomes where key_id = 60',
    'a new per-API key of the store': `insert into public.api_keys (account_id, api_id, token)
      values (1, 1, 'smuggled')`,
    'a per-API row that is in the archive, too':
      'insert into public.api_keys overriding system value select * from keylift.archived_keys where id = 1',
    'an account key for a key left behind': `insert into public.account_api_keys (id, account_id, token, origin_api_id)
      values (46, 1, 'smuggled', 1)`,
    'an account key that is gone': 'delete from public.account_api_keys where id = 1',
    'the account key of merged rows that is gone': 'delete from public.account_api_keys where id = 21',
    'a revocation undone': 'update public.account_api_keys set revoked_at = null where id = 4',
    'a token of another account': `update public.account_api_keys set token = '${tokenOf('shared')}' where id = 1`,
    'an account key from nowhere': `insert into public.account_api_keys (id, account_id, token, origin_api_id)
      values (8000, 1, 'smuggled', 1)`,
  };
  for (const [what, sql] of Object.entries(SMUGGLED)) {
    it(`do not hide what is wrong: ${what}`, async () => {
      const session = await Session.open(scenario.db);
      await session.run(`set session_replication_role = replica; ${sql}`);
      const { ok, differences } = await proof();
      expect([ok, differences.length > 0]).to.deep.equal([false, true]);
    });
  }

  it('are answered beside an account key with their token by their own row, or the proof says so', async () => {
    await scenario.db.query(CHANGES['a token becomes that of an account key']!);
    expect(await scenario.authorize(tokenOf(1), 2)).to.deep.equal([
      { key_id: '32', account_id: '2', source: 'per_api' },
    ]);
    expect(await scenario.authorize(tokenOf(1), 3)).to.deep.equal([
      { key_id: '1', account_id: '1', source: 'account' },
    ]);
    await scenario.db.query('delete from keylift.overlaps');
    expect((await proof()).authorization.gained_foreign).to.be.greaterThan(0);
  });

  it('keep their token to themselves: Settings may neither make a key with it nor turn one to it', async () => {
    for (const sql of [
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('shared')}')`,
      `update public.account_api_keys set token = '${tokenOf('shared')}' where id = 1`,
    ]) {
      expect(await scenario.db.query(sql).catch((e: unknown) => e), sql).to.include({ code: '23505' });
    }
    await scenario.db.query(
      `update public.account_api_keys set token = '${tokenOf('turned')}' where id = 1;
        update public.account_api_keys set token = token, name = 'x'`,
    );
    expect((await proof()).ok).to.equal(true);
  });

  it('are all that a proof has to say something about after a purge', async () => {
    await scenario.must('finalize --purge --yes');
    for (const what of ['a creation date is set', 'a deletion', 'a shared token is changed'])
      await scenario.db.query(CHANGES[what]!);
    const { ok, keys } = await proof();
    expect([ok, keys]).to.deep.equal([true, { compared: 0, missing: 0, extra: 0, different: 0 }]);
    expect(await scenario.db.query(WRONG)).to.deep.equal([]);
    const session = await Session.open(scenario.db);
    await session.run(`set session_replication_role = replica; ${SMUGGLED['a new per-API key of the store']!}`);
    expect((await proof()).ok).to.equal(false);
  });

  it('and TRUNCATE of the account keys stays refused, since the archive would bring them back', async () => {
    expect(await scenario.db.query('truncate public.account_api_keys').catch((e: unknown) => e)).to.include({
      code: '55000',
    });
  });
});

describe('a merged row that finalize takes away', () => {
  it('still decides who answers where a key left behind came later', async () => {
    const scenario = await Scenario.of({
      accounts: ['acme'],
      apis: { invoices: 'store', receipts: 'store', passport: 'store' },
      keys: [
        { id: 1, account: 'acme', api: 'invoices', token: tokenOf('one') },
        { id: 2, account: 'acme', api: 'receipts', token: tokenOf('one') },
        { id: 3, account: 'nobody', api: 'receipts', token: tokenOf('one') },
        { id: 4, account: 'nobody', api: 'passport', token: tokenOf('one') },
      ],
    });
    try {
      await scenario.must('migrate --yes', 6);
      const answers = async () =>
        (await Promise.all([1, 2, 3].map((api) => scenario.authorize(tokenOf('one'), api))))
          .flat()
          .map(({ key_id, source }) => `${source} ${key_id}`);
      const view = () =>
        scenario.db.query(
          `select id::int, api_id::int from keylift.per_api_keys where token = '${tokenOf('one')}' order by api_id, id`,
        );
      const [before, seen] = [await answers(), await view()];
      expect(before).to.deep.equal(['account 1', 'account 1', 'per_api 4']);
      for (const line of [
        'finalize --yes',
        'rollback --yes',
        'migrate --yes',
        'finalize --yes',
        'finalize --purge --yes',
      ]) {
        await scenario.must(line, 0, 6);
        if (line.startsWith('rollback')) continue;
        expect(await answers(), line).to.deep.equal(before);
        expect(await view(), line).to.deep.equal(seen);
        await scenario.must('verify');
      }
    } finally {
      await scenario.close();
    }
  });
});
