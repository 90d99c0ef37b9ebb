import { expect } from 'chai';
import { assertInvariants, assertLedgerKeepsNoToken } from '../support/invariants.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { judge, readWorld } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';

const STAGES = ['expand', 'backfill', 'harden', 'verify', 'switch'] as const;

interface Report {
  stage: string;
  moved: number;
  merged: number;
  exceptions: number;
  batches: number;
  seconds: number;
}

describe('migrate', () => {
  let scenario: Scenario;
  let holds: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    holds = await scenario.file('holds.csv', MOTLEY_HOLDS.csv);
  });
  afterEach(() => scenario.close());

  it('goes through every stage and exits 6 while exceptions wait', async () => {
    const legacy = await scenario.legacyDigest();
    const report = (await scenario.must(`migrate --yes --json --holds ${holds}`, 6)).json<Report>();
    const judged = [...judge(await readWorld(scenario.db), scenario.held).values()].map(({ outcome }) => outcome);
    const count = (outcome: string) => judged.filter((each) => each === outcome).length;
    expect(report).to.deep.include({
      stage: 'switch',
      moved: count('move'),
      merged: count('merge'),
      exceptions: count('exception'),
    });
    expect(report.batches).to.be.greaterThan(0);
    expect(report.seconds).to.be.a('number').greaterThan(0);
    await assertInvariants(scenario.db);
    await assertLedgerKeepsNoToken(scenario.db);
    expect(await scenario.legacyDigest()).to.equal(legacy);
    await scenario.everyPair('all');
  });

  it('decides every key as the rules do', async () => {
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    const expected = [...judge(await readWorld(scenario.db), scenario.held)]
      .filter(([, { outcome }]) => outcome !== 'stay')
      .map(([id, judgement]) =>
        [
          id,
          judgement.outcome,
          'reason' in judgement ? judgement.reason : null,
          'into' in judgement ? judgement.into : null,
        ].join(' '),
      );
    const found = await scenario.db.query<{ row: string }>(`
      select concat_ws(' ', id, 'move', '', '') as row from public.account_api_keys where origin_api_id is not null
      union all select concat_ws(' ', key_id, outcome, coalesce(reason, ''), coalesce(account_key_id::text, ''))
        from keylift.outcomes`);
    expect(found.map(({ row }) => row).sort()).to.deep.equal(expected.sort());
  });

  it('exits 0 where nothing waits for a person', async () => {
    await scenario.db.query(`delete from public.api_keys where id not in (1, 2, 3, 4, 5, 20, 21)`);
    const report = (await scenario.must('migrate --yes --json', 0)).json<Report>();
    expect(report).to.include({ moved: 5, merged: 1, exceptions: 0 });
  });

  it('has nothing to do and says so with 0', async () => {
    await scenario.db.query('delete from public.api_keys');
    expect((await scenario.must('migrate --yes --json', 0)).json()).to.include({
      stage: 'switch',
      moved: 0,
      merged: 0,
      exceptions: 0,
      batches: 0,
    });
    await scenario.must('verify', 0);
  });

  it('keeps id, name and the microsecond', async () => {
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    const listed = await scenario.settings(1);
    expect(listed.slice(0, 1)).to.deep.equal([
      {
        id: '2',
        name: 'receipt-api-key',
        created_at: '1969-12-31 23:59:59.999999+00',
        revoked_at: null,
        expires_at: null,
        origin_api_id: '2',
      },
    ]);
    expect(listed.find(({ id }) => id === '1')).to.include({
      name: 'invoice-api-key',
      created_at: '2021-03-04 05:06:07.123456+00',
    });
    expect((await scenario.settings(2)).map(({ id }) => id))
      .to.include('9007199254740993')
      .and.include('9007199254740992')
      .and.include('-5');
  });

  it('gives a merged key the latest use of its rows', async () => {
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    expect(
      await scenario.db.query(
        `select id::text, name, last_used_at::text from public.account_api_keys where id in (20, 21, 22)`,
      ),
    ).to.deep.equal([{ id: '21', name: 'first', last_used_at: '2023-01-01 00:00:00+00' }]);
  });

  for (const stage of STAGES) {
    it(`stops after ${stage} and goes on from there`, async () => {
      const legacy = await scenario.legacyDigest();
      const first = await scenario.run(`migrate --yes --json --holds ${holds} --until ${stage}`);
      expect(first.json()).to.include({ stage });
      expect(first.exitCode, first.stderr).to.equal(stage === 'expand' ? 0 : 6);
      await scenario.everyPair(stage === 'switch' ? 'all' : 'none');
      const again = await scenario.must(`migrate --yes --json --until ${stage}`, first.exitCode);
      expect(again.json()).to.deep.equal(first.json());
      const last = (await scenario.must('migrate --yes --json', 6)).json<Report>();
      expect(last.stage).to.equal('switch');
      await assertInvariants(scenario.db);
      await scenario.everyPair('all');
      expect(await scenario.legacyDigest()).to.equal(legacy);
    });
  }

  it('ends the same by stages as in one go', async () => {
    for (const stage of STAGES) await scenario.must(`migrate --yes --holds ${holds} --until ${stage}`, 0, 6);
    const other = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    try {
      await other.must(`migrate --yes --holds ${holds} --batch-size 3 --concurrency 4`, 6);
      expect(await scenario.targetDigest()).to.equal(await other.targetDigest());
    } finally {
      await other.close();
    }
  });

  it('prints the same totals when it is run again, and changes nothing', async () => {
    const first = await scenario.must(`migrate --yes --json --holds ${holds}`, 6);
    const digest = await scenario.targetDigest();
    const second = await scenario.must('migrate --yes --json', 6);
    expect(second.json()).to.deep.equal(first.json());
    expect(await scenario.targetDigest()).to.equal(digest);
  });

  it('goes back to no earlier stage', async () => {
    await scenario.must('migrate --yes', 6);
    expect((await scenario.must('migrate --yes --json --until expand', 6)).json()).to.include({ stage: 'switch' });
    await scenario.everyPair('all').catch(() => undefined);
    expect((await scenario.must('status --json')).json()).to.include({ stage: 'switch', state: 'done' });
  });

  it('writes one ledger line a batch, which add up to the table', async () => {
    await scenario.must(`migrate --yes --holds ${holds} --batch-size 7 --until backfill`, 6);
    const [sums] = await scenario.db.query(`
      select count(*)::int > 5 as several, sum(rows)::int as rows, sum(moved + stayed + set_aside)::int as accounted,
        bool_and(state = 'done' and finished_at is not null and seconds >= 0 and run_id is not null) as whole,
        (select count(*)::int from public.api_keys) as keys, sum(moved)::int as moved,
        (select count(*)::int from public.account_api_keys) as there from keylift.batches`);
    expect(sums).to.deep.include({ several: true, whole: true, moved: sums?.there });
    expect([sums?.rows, sums?.accounted]).to.deep.equal([sums?.keys, sums?.keys]);
  });

  it('does what plan does under --dry-run, and asks nothing', async () => {
    const [plan, dry] = [await scenario.must('plan --json', 6), await scenario.must('migrate --dry-run --json', 6)];
    expect(dry.json()).to.deep.equal(plan.json());
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  });

  it('refuses without --yes where nobody can answer, and has changed nothing', async () => {
    const ended = await scenario.run('migrate');
    expect([ended.exitCode, ended.stdout]).to.deep.equal([3, '']);
    expect(ended.stderr).to.include('--yes');
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
    expect(await scenario.db.query(`select from pg_class where relname = 'account_api_keys'`)).to.deep.equal([]);
  });

  it('refuses a holds file with an id nobody knows, and has changed nothing', async () => {
    const file = await scenario.file('bad.csv', 'key_id,account_id\n60,\n61234,\n,77\n');
    const ended = await scenario.run(`migrate --yes --holds ${file}`);
    expect(ended.exitCode).to.equal(2);
    expect(ended.stderr)
      .to.include('61234')
      .and.include('77')
      .and.not.match(/\n +at /);
    expect(await scenario.db.query(`select from pg_namespace where nspname = 'keylift'`)).to.deep.equal([]);
  });

  it('takes a new list of holds, in both directions', async () => {
    await scenario.must('migrate --yes', 6);
    const all = new Set((await scenario.settings(2)).map(({ id }) => id));
    expect(all.has('60')).to.equal(true);
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    await scenario.everyPair('all');
    await assertInvariants(scenario.db);
    const none = await scenario.file('none.csv', 'key_id\n');
    await scenario.must(`migrate --yes --holds ${none}`, 6);
    expect(new Set((await scenario.settings(2)).map(({ id }) => id))).to.deep.equal(all);
  });

  it("takes a new list that names a custom API's key: the store key with its token, moved before, is held with it", async () => {
    await scenario.must('migrate --yes', 6);
    const file = await scenario.file('custom.csv', 'key_id\n51\n');
    await scenario.must(`migrate --yes --holds ${file}`, 6);
    expect(
      (await scenario.db.query(`select outcome from keylift.outcomes where key_id = 50`)).map(
        ({ outcome }) => outcome as string,
      ),
    ).to.deep.equal(['hold']);
    await scenario.must('verify');
    await assertInvariants(scenario.db);
  });

  it('takes a new list of holds that comes after the mirror moved a key, and before the backfill', async () => {
    await scenario.must('migrate --yes --until expand');
    await scenario.db.query(`update public.api_keys set name = 'written again' where id in (1, 60, 62)`);
    await scenario.must(`migrate --yes --holds ${holds}`, 6);
    await scenario.everyPair('all');
    await assertInvariants(scenario.db);
    expect(
      (await scenario.db.query(`select key_id::int from keylift.outcomes where outcome = 'hold' order by 1`)).map(
        ({ key_id: id }) => id as number,
      ),
    ).to.include.members([60, 62]);
  });
});
