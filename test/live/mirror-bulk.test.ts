import { expect } from 'chai';
import { assertInvariants } from '../support/invariants.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

describe('the mirror and statements of 100,000 rows', function () {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 1_000 });
    await scenario.must('migrate --yes');
  });
  after(() => scenario.close());
  const digests = () =>
    scenario.db.query(`
    select (select count(*)::int from public.account_api_keys where origin_api_id is not null) as n,
      (select count(*)::int from public.api_keys k join public.account_api_keys t on t.id = k.id
       where (t.name, t.token, t.revoked_at, t.account_id) is distinct from (k.name, k.token, k.revoked_at,
         k.account_id)) as different`);
  const STATEMENTS: [string, string, number][] = [
    [
      'insert',
      `insert into public.api_keys (id, account_id, api_id, name, token) select 100000 + n, 1 + n % 200, 1, 'k',
        'many ' || n from generate_series(1, 100000) n`,
      100_900,
    ],
    [
      'rename and rotation',
      `update public.api_keys set name = 'renamed ' || id, token = 'rotated ' || id where id > 100000`,
      100_900,
    ],
    [
      'rename and revocation in Settings',
      `update public.account_api_keys set name = 'settings ' || id, revoked_at = now() where id > 100000`,
      100_900,
    ],
    ['un-revocation', `update public.api_keys set revoked_at = null where id > 100000`, 100_900],
    ['delete of half in Settings', `delete from public.account_api_keys where id > 150000`, 50_900],
    ['delete', `delete from public.api_keys where id > 100000`, 900],
  ];
  for (const [what, sql, n] of STATEMENTS) {
    it(`${what}`, async () => {
      await scenario.db.query(sql);
      expect(await digests()).to.deep.equal([{ n, different: 0 }]);
    });
  }
  it('insert of keys born in Settings', async () => {
    await scenario.db.query(
      `insert into public.account_api_keys (account_id, name, token) select 1 + n % 200, 'born', 'born ' || n
        from generate_series(1, 100000) n`,
    );
    expect(
      await scenario.db.query('select count(*)::int as n from public.account_api_keys where origin_api_id is null'),
    ).to.deep.equal([{ n: 100_000 }]);
  });
  it('leave a migration that is right', async () => {
    await scenario.must('verify');
    await assertInvariants(scenario.db);
  });
});
