import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { STATIONS } from '../support/stations.js';
import { tokenOf } from '../support/seed.js';

describe('keylift.per_api_keys', () => {
  let scenario: Scenario;
  let holds: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
  });
  afterEach(() => scenario.close());

  it('answers an old gateway as authorize would, between any two stages', async () => {
    for (const [command, switched] of STATIONS) {
      await scenario.must(command.startsWith('migrate') ? `${command} --holds ${holds}` : command, 0, 6);
      expect(await scenario.everyView(switched), command).to.be.greaterThan(200);
    }
  });

  it('answers by account while cohorts are mixed', async () => {
    await scenario.must(`migrate --yes --until verify --holds ${holds}`, 6);
    await scenario.must(`switch --accounts ${await scenario.file('some.csv', 'account_id\n1\n5\n')} --yes`);
    await scenario.everyView(new Set(['1', '5']));
  });

  it('has no second living row where the table had one', async () => {
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    const twice = await scenario.db.query(`
      with living as (select * from keylift.per_api_keys v where v.revoked_at is null and (v.expires_at is null
        or v.expires_at > now()))
      select token, api_id::int, count(*)::int from living where token <> '' group by token, api_id having count(*) > 1
        and count(*) > (select count(*) from public.api_keys k
          where k.token = living.token and k.api_id = living.api_id)`);
    expect(twice).to.deep.equal([]);
  });

  it('is the legacy table, row for row, until somebody is switched', async () => {
    for (const [command, switched] of STATIONS) {
      await scenario.must(command.startsWith('migrate') ? `${command} --holds ${holds}` : command, 0, 6);
      if (switched === 'all') continue;
      const different = await scenario.db.query(`
        (select v::text from keylift.per_api_keys v except select k::text from (select id, account_id, api_id, name,
          token, created_at, last_used_at, revoked_at, expires_at from public.api_keys) k)
        union all (select k::text from (select id, account_id, api_id, name, token, created_at, last_used_at,
          revoked_at, expires_at from public.api_keys) k except select v::text from keylift.per_api_keys v)`);
      expect(different, command).to.deep.equal([]);
    }
  });

  it('has the columns of the table under their names', async () => {
    await scenario.must('migrate --yes --until expand');
    const columns = await scenario.db.query<{ name: string }>(
      `select attname as name from pg_attribute where attrelid = 'keylift.per_api_keys'::regclass and attnum > 0
        order by 1`,
    );
    expect(columns.map(({ name }) => name)).to.deep.equal([
      'account_id',
      'api_id',
      'created_at',
      'expires_at',
      'id',
      'last_used_at',
      'name',
      'revoked_at',
      'token',
    ]);
    expect(
      await scenario.db.query(`select id::int from keylift.per_api_keys where token = $1 and api_id = $2`, [
        tokenOf(1),
        1,
      ]),
    ).to.deep.equal([{ id: 1 }]);
  });
});
