import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { finish } from './sound.js';

const KEYS = 1_500;

describe('the change log', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    await scenario.must('migrate --yes --until backfill');
  });
  afterEach(() => scenario.close());

  const entries = async (): Promise<number> => {
    const [row] = await scenario.db.query<{ entries: number }>(
      'select count(*)::int as entries from keylift.change_log',
    );
    return row!.entries;
  };

  it('records the ids of changed rows, old and new, and nothing where no mapped value changed', async () => {
    expect(await entries()).to.equal(0);
    await scenario.db.query(`
      update public.api_keys set name = name;
      update public.api_keys set name = 'renamed' where id = 3;
      update public.api_keys set id = 9003 where id = 6;
      delete from public.api_keys where id = 9;
      insert into public.api_keys (id, account_id, api_id, name, token) values (9004, 1, 1, 'new', 'a new token')`);
    expect(
      await scenario.db.query('select distinct key_id::int as id from keylift.change_log order by 1'),
    ).to.deep.equal([3, 6, 9, 9003, 9004].map((id) => ({ id })));
    await finish(scenario);
  });

  it('records nothing of a transaction that is rolled back', async () => {
    await scenario.db.query('begin; update public.api_keys set revoked_at = now(); rollback');
    expect(await entries()).to.equal(0);
  });

  it('refuses, after a bounded number of rounds, a platform that changes keys faster; the next run continues', async () => {
    await scenario.db.query(`
      update public.api_keys set name = 'renamed';
      create function public.change_it_again() returns trigger language plpgsql as $$
        begin update public.api_keys set name = name || '.' where id = old.key_id; return null; end $$;
      create trigger busy_platform after delete on keylift.change_log
        for each row execute function public.change_it_again()`);
    const { exitCode, stdout } = await scenario.run('migrate --yes --until harden --json');
    expect(exitCode).to.equal(5);
    expect(JSON.parse(stdout)).to.have.nested.property('error.code', 'change_log_grows');
    await scenario.db.query('drop trigger busy_platform on keylift.change_log');
    await finish(scenario);
    expect(await entries()).to.equal(0);
  });
});
