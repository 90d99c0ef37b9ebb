import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';
import { assertOutcomes } from './sound.js';

/** One key of an account, and no word in the ledger: whatever is judged, is judged alone. */
const LONELY: Seed = {
  accounts: ['acme', 'solo'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
  keys: [
    { id: 10, account: 'acme', api: 'invoices' },
    { id: 20, account: 'acme', api: 'receipts' },
    { id: 100, account: 'solo', api: 'invoices' },
  ],
};

describe('a single key that is to be judged anew', () => {
  let expanded: Scenario;
  let scenario: Scenario;
  before(async () => {
    expanded = await Scenario.of(LONELY);
    await expanded.must('migrate --yes --until expand');
  });
  after(() => expanded.close());
  afterEach(() => scenario.close());

  const at = async (line: string): Promise<void> => {
    scenario = await expanded.copy();
    await scenario.must(line);
  };
  const sources = async (id: number): Promise<unknown[]> =>
    (await scenario.authorize(tokenOf(id), 2)).map(({ source }) => source);

  for (const [what, csv] of [
    ['by its id', 'key_id,account_id\n10,\n'],
    ['by its account', 'key_id,account_id\n,2\n'],
  ] as const) {
    it(`is held back ${what}`, async () => {
      await at('migrate --yes');
      await scenario.must(`migrate --yes --holds ${await scenario.file('holds.csv', csv)}`);
      expect(await scenario.db.query('select key_id::int, outcome from keylift.outcomes')).to.deep.equal([
        { key_id: what === 'by its id' ? 10 : 100, outcome: 'hold' },
      ]);
      expect(await sources(what === 'by its id' ? 10 : 100)).to.deep.equal([]);
      await scenario.must('verify');
    });
  }

  it('goes back with its account', async () => {
    await at('migrate --yes');
    const back = (
      await scenario.must(`rollback --yes --json --accounts ${await scenario.file('accounts.csv', 'account_id\n2\n')}`)
    ).json<{ removed: number }>();
    expect(back.removed).to.equal(1);
    expect(await sources(100)).to.deep.equal([]);
    await scenario.must('verify');
  });

  for (const meanwhile of ['', `update public.api_keys set name = 'renamed' where id = 100`]) {
    it(`is an exception once its account is gone before harden${meanwhile === '' ? '' : ', and is renamed'}`, async () => {
      await at('migrate --yes --until backfill');
      await scenario.db.query('delete from public.accounts where id = 2');
      if (meanwhile !== '') await scenario.db.query(meanwhile);
      await scenario.must('migrate --yes', 6);
      await assertOutcomes(scenario);
    });
  }

  for (const stage of ['harden', 'verify']) {
    it(`hands its last use on to the row that takes its token in the same statement, after ${stage}`, async () => {
      await at(`migrate --yes --until ${stage}`);
      await scenario.db.query(`update public.account_api_keys set last_used_at = '2030-01-01' where id = 10`);
      await scenario.db.query(`with gone as (delete from public.api_keys where id = 10 returning *)
        insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at)
          select 1000, account_id, api_id, name, token, created_at, last_used_at from gone`);
      expect(
        await scenario.db.query(
          'select id::int, last_used_at::date::text as used from public.account_api_keys where id in (10, 1000)',
        ),
      ).to.deep.equal([{ id: 1000, used: '2030-01-01' }]);
    });
  }

  for (const [what, change] of [
    ['revoked', 'update public.api_keys set revoked_at = now() where id = 10'],
    ['deleted', 'delete from public.api_keys where id = 10'],
  ] as const) {
    it(`is judged with a twin whose API has come meanwhile, when it is ${what}`, async () => {
      await at('migrate --yes');
      await scenario.db.query(
        `insert into public.api_keys (id, account_id, api_id, name, token)
          values (1000, 1, 77, 'twin', '${tokenOf(10)}')`,
      );
      await scenario.db.query(`insert into public.apis (id, slug, name, kind) values (77, 'late', 'late', 'store')`);
      await scenario.db.query(change);
      await assertOutcomes(scenario);
    });
  }

  it('of a custom API is none of the key made in Settings that has its id, however it changes', async () => {
    await at('migrate --yes');
    const [born] = await scenario.db.query<{ id: string }>(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'born', 'born-token') returning id`,
    );
    const key = 'select * from public.account_api_keys where id = $1';
    const before = await scenario.db.query(key, [born!.id]);
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, name, token, created_at) values ($1, 1, 3, 'of forms',
        'forms-token', now())`,
      [born!.id],
    );
    await scenario.db.query(`update public.api_keys set name = 'renamed', revoked_at = now() where id = $1`, [
      born!.id,
    ]);
    await scenario.db.query('delete from public.api_keys where id = $1', [born!.id]);
    expect(await scenario.db.query(key, [born!.id])).to.deep.equal(before);
    expect((await scenario.authorize('born-token', 1)).length).to.equal(1);
  });
});
