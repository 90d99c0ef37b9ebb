import { expect } from 'chai';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';

interface Report {
  rolled_back: boolean;
  removed: number;
  born_in_settings: { key_id: string; account_id: string; name: string }[];
}

const FROM: Record<string, string[]> = {
  expand: ['migrate --yes --until expand'],
  'the whole backfill': ['migrate --yes --until backfill'],
  harden: ['migrate --yes --until harden'],
  verify: ['migrate --yes --until verify'],
  'a cohort': ['migrate --yes --until verify', 'switch --cohort 50% --yes'],
  switch: ['migrate --yes'],
  'a switch taken back': ['migrate --yes', 'switch --back --yes'],
};

describe('rollback', () => {
  let scenario: Scenario;
  let holds: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
  });
  afterEach(() => scenario.close());

  /** What must be true of a migration taken back, and of the next one. */
  const takeBack = async (legacy: string): Promise<Report> => {
    const report = (await scenario.must('rollback --yes --json')).json<Report>();
    expect(report.rolled_back).to.equal(true);
    expect(await scenario.legacyDigest()).to.equal(legacy);
    await scenario.everyPair('none');
    expect(
      await scenario.db.query('select from public.account_api_keys where origin_api_id is not null'),
    ).to.deep.equal([]);
    expect(
      await scenario.db.query(
        `select from pg_trigger where tgrelid = 'public.api_keys'::regclass and not tgisinternal`,
      ),
      'the mirror',
    ).to.deep.equal([]);
    expect((await scenario.must('status --json')).json()).to.include({ state: 'rolled_back', moved: 0 });
    expect((await scenario.must('rollback --yes --json')).json<Report>()).to.deep.include({
      rolled_back: false,
      removed: 0,
    });
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    await assertInvariants(scenario.db);
    await scenario.everyPair('all');
    expect(await scenario.legacyDigest()).to.equal(legacy);
    return report;
  };

  for (const [name, commands] of Object.entries(FROM)) {
    it(`takes ${name} back`, async () => {
      const legacy = await scenario.legacyDigest();
      for (const command of commands)
        await scenario.must(command.startsWith('migrate') ? `${command} --holds ${holds}` : command, 0, 6);
      await takeBack(legacy);
    });
  }

  it('takes half a backfill back', async () => {
    const legacy = await scenario.legacyDigest();
    await scenario.must(`migrate --yes --until expand --holds ${holds}`);
    const gate = await gateAt(scenario.db, 9);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
    await until(
      'half the keys to be there',
      async () => (await scenario.db.query('select from public.account_api_keys where id = 6')).length === 1,
    );
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    await gate.remove();
    await scenario.everyPair('none');
    await takeBack(legacy);
  });

  it('refuses without --yes where nobody can answer, and changes nothing', async () => {
    await scenario.must('migrate --yes', 6);
    const digest = await scenario.targetDigest();
    expect((await scenario.run('rollback')).exitCode).to.equal(3);
    expect(await scenario.targetDigest()).to.equal(digest);
    expect((await scenario.must('status --json')).json()).to.include({ stage: 'switch', state: 'done' });
  });

  it('has nothing to do in a database never migrated, and leaves no trace', async () => {
    expect((await scenario.must('rollback --json')).json()).to.deep.equal({
      rolled_back: false,
      accounts: null,
      removed: 0,
      born_in_settings: [],
      left: [],
    });
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  });

  it('keeps what people did since, made in either table', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `update public.account_api_keys set revoked_at = '2025-01-01 00:00:00.000001+00' where id = 1`,
    );
    await scenario.db.query(`update public.account_api_keys set name = 'renamed' where id = 2`);
    await scenario.db.query(`delete from public.account_api_keys where id = 6`);
    await scenario.db.query(
      `update public.account_api_keys set last_used_at = '2025-02-02 02:02:02.222222+00' where id = 7`,
    );
    await scenario.db.query(`update public.api_keys set revoked_at = '2025-03-03+00' where id = 8`);
    await scenario.db.query(`update public.account_api_keys set revoked_at = '2025-04-04+00' where id = 21`);
    await scenario.must('rollback --yes');
    expect(
      await scenario.db.query(
        `select id::int, name, revoked_at::text, last_used_at::text from public.api_keys
          where id in (1, 2, 6, 7, 8, 20, 21, 22) order by id`,
      ),
    ).to.deep.equal([
      {
        id: 1,
        name: 'invoice-api-key',
        revoked_at: '2025-01-01 00:00:00.000001+00',
        last_used_at: '2022-06-01 10:00:00.000001+00',
      },
      { id: 2, name: 'renamed', revoked_at: null, last_used_at: null },
      { id: 7, name: null, revoked_at: null, last_used_at: '2025-02-02 02:02:02.222222+00' },
      { id: 8, name: '', revoked_at: '2025-03-03 00:00:00+00', last_used_at: null },
      { id: 20, name: 'second', revoked_at: '2025-04-04 00:00:00+00', last_used_at: '2022-06-01 10:00:00.000001+00' },
      { id: 21, name: 'first', revoked_at: '2025-04-04 00:00:00+00', last_used_at: null },
      { id: 22, name: 'same moment', revoked_at: '2025-04-04 00:00:00+00', last_used_at: '2023-01-01 00:00:00+00' },
    ]);
    await scenario.everyPair('none');
    for (const [token, api] of [
      [tokenOf(1), 1],
      [tokenOf('twins'), 1],
      [tokenOf('twins'), 2],
    ] as const)
      expect(await scenario.authorize(token, api)).to.deep.equal([]);
  });

  it('lists keys born in Settings, keeps them, and they come through the next migration', async () => {
    await scenario.must('migrate --yes', 6);
    const [key] = await scenario.db.query<{ id: string }>(
      `insert into public.account_api_keys (account_id, name, token) values (4, 'born', $1) returning id::text`,
      [tokenOf('born')],
    );
    const before = await scenario.settings(4);
    const first = (await scenario.must('rollback --yes --json')).json<Report>();
    expect(first.born_in_settings.map(({ key_id, account_id, name }) => ({ key_id, account_id, name }))).to.deep.equal([
      { key_id: key!.id, account_id: '4', name: 'born' },
    ]);
    expect((await scenario.must('rollback --yes --json')).json<Report>().born_in_settings).to.have.length(1);
    expect((await scenario.must('rollback')).stdout).to.include('born');
    expect(await scenario.authorize(tokenOf('born'), 2)).to.have.length(1);
    expect(await scenario.settings(4)).to.deep.equal(before);
    await scenario.must('migrate --yes', 6);
    expect(await scenario.settings(4)).to.deep.equal(before);
    expect(await scenario.authorize(tokenOf('born'), 2)).to.have.length(1);
    await scenario.must('verify');
  });

  it('does not give the id of a key born in Settings to a per-API key, nor the other way round', async () => {
    await scenario.must('migrate --yes', 6);
    const insertBorn = (n: number) =>
      scenario.db.query(
        `insert into public.account_api_keys (account_id, name, token) values (4, 'born', 'born ' || $1)`,
        [n],
      );
    const insertOld = (n: number) =>
      scenario.db.query(
        `insert into public.api_keys (account_id, api_id, name, token) values (1, 1, 'old', 'old ' || $1)`,
        [n],
      );
    for (const [n, command] of ['rollback --yes', 'migrate --yes'].entries()) {
      await insertBorn(n);
      await insertOld(n);
      await scenario.must(command, 0, 6);
      await insertOld(n + 10);
      await insertBorn(n + 10);
    }
    await assertInvariants(scenario.db);
    await scenario.must('verify');
  });

  it('takes only the accounts named back', async () => {
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    const file = await scenario.file('accounts.csv', 'account_id\n1\n');
    await scenario.must(`rollback --accounts ${file} --yes`);
    await scenario.everyPair(new Set(['2', '3', '4', '5']));
  });
});
