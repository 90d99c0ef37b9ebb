import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';

/** What the platform has on the new table, and refuses a key that is called `bad` with. */
const NEIGHBOURS = {
  'a trigger': `
    create function public.no_bad_name() returns trigger language plpgsql as $$
      begin if new.name = 'bad' then raise exception 'no bad names'; end if; return new; end $$;
    create trigger no_bad_name before insert or update on public.account_api_keys for each row
      execute function public.no_bad_name()`,
  'a check': `alter table public.account_api_keys add constraint no_bad check (name <> 'bad') not valid`,
  'a unique index': `
    create unique index one_bad on public.account_api_keys ((name = 'bad')) where name = 'bad';
    insert into public.account_api_keys (account_id, name, token) values (1, 'bad', '${tokenOf('native')}')`,
};

describe('a new table that refuses what the legacy table takes', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes', 6);
  });
  afterEach(() => scenario.close());

  const outcomes = (): Promise<unknown[]> =>
    scenario.db.query(`select key_id::int, reason from keylift.outcomes where reason = 'not_carried' order by key_id`);

  for (const [what, sql] of Object.entries(NEIGHBOURS)) {
    it(`by ${what}: the platform's write succeeds, the key is an exception and works as before`, async () => {
      await scenario.db.query(sql);
      await scenario.db.query(`update public.api_keys set name = 'bad' where id = 1`);
      await scenario.db.query(
        `insert into public.api_keys (id, account_id, api_id, name, token)
          values (4001, 1, 1, 'bad', '${tokenOf('new')}'), (4002, 1, 1, 'good', '${tokenOf('good')}')`,
      );
      expect(await outcomes()).to.deep.equal([1, 4001].map((id) => ({ key_id: id, reason: 'not_carried' })));
      expect(await scenario.authorize(tokenOf('new'), 1)).to.have.length(1);
      expect(await scenario.authorize(tokenOf('new'), 2)).to.have.length(0);
      expect(await scenario.authorize(tokenOf('good'), 2)).to.have.length(1);
      await scenario.must('verify');
      expect((await scenario.must('explain 4001')).stdout).to.include('the new table refused it');
      await scenario.must('migrate --yes', 6);
      expect(await outcomes()).to.have.length(2);

      await scenario.db.query(`update public.api_keys set name = 'mended' where id in (1, 4001)`);
      expect(await outcomes()).to.deep.equal([]);
      expect(await scenario.authorize(tokenOf('new'), 2)).to.have.length(1);
      await scenario.must('verify');
    });
  }

  it('a revocation that it refuses closes the key all the same', async () => {
    await scenario.db.query(NEIGHBOURS['a trigger'].replaceAll(`new.name = 'bad'`, 'new.revoked_at is not null'));
    await scenario.db.query('update public.api_keys set revoked_at = now() where id in (1, 2)');
    for (const api of [1, 2, 3]) expect(await scenario.authorize(tokenOf(1), api)).to.deep.equal([]);
    await scenario.must('verify');
    await scenario.must('rollback --yes');
  });

  it('each row of duplicates that lose their account key keeps its per-API key', async () => {
    await scenario.db.query(NEIGHBOURS['a trigger']);
    await scenario.db.query(`update public.api_keys set name = 'bad' where id = 21`);
    await scenario.must('verify');
    await scenario.must('finalize --yes');
    await scenario.must('verify');
  });
});
