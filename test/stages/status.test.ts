import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { catalogDigest } from '../support/reader.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';

interface Status {
  stage: string | null;
  state: string;
  moved: number;
  total: number;
  reason: string | null;
}

describe('status', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());
  const status = async (): Promise<Status> => (await scenario.must('status --json')).json<Status>();

  it('leaves no trace in a database never migrated', async () => {
    const before = await catalogDigest(scenario.db);
    expect(await status()).to.include({ stage: null, state: 'idle', moved: 0, total: MOTLEY.keys.length });
    expect((await scenario.must('status')).stdout).to.include('idle');
    expect(await catalogDigest(scenario.db)).to.equal(before);
  });

  it('tells every stage by its name', async () => {
    for (const stage of ['expand', 'backfill', 'harden', 'verify', 'switch']) {
      const { exitCode } = await scenario.run(`migrate --yes --until ${stage}`);
      expect([0, 6]).to.include(exitCode);
      const said = await status();
      const [{ n }] = (await scenario.db.query<{ n: number }>(
        'select count(*)::int as n from public.account_api_keys',
      )) as [{ n: number }];
      expect(said, stage).to.include({
        stage,
        state: stage === 'switch' ? 'done' : 'idle',
        moved: n,
        total: MOTLEY.keys.length,
      });
      expect(said.reason === null || said.reason.length > 0).to.equal(true);
      expect((await scenario.must('status')).stdout).to.include(stage);
    }
    await scenario.must('rollback --yes');
    expect(await status()).to.include({ state: 'rolled_back', moved: 0 });
  });

  it('leads nobody who goes by cohorts to a command that switches everybody', async () => {
    await scenario.must('migrate --yes --until harden', 6);
    expect(await status()).to.include({ reason: 'no run is active; to continue: keylift migrate' });
    await scenario.must('migrate --yes --until verify', 6);
    await scenario.must('switch --yes --cohort 50%');
    expect((await status()).reason).to.equal(
      'no run is active; proven; next: keylift switch for some accounts, keylift migrate for all',
    );
  });

  it('tells a run at work from one that stopped', async () => {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 7);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    const { state, moved, total } = await status();
    expect(['running', 'waiting']).to.include(state);
    expect(moved).to.be.greaterThan(0).and.lessThan(total);
    migration.signal();
    await migration.ended;
    expect(await status()).to.include({ state: 'idle', stage: 'expand' });
    await gate.remove();
  });

  it('counts what is there, keys born in Settings apart', async () => {
    await scenario.must('migrate --yes', 6);
    const before = await status();
    await scenario.db.query(`insert into public.account_api_keys (account_id, name, token) values (4, 'born', 'born')`);
    expect(await status()).to.deep.equal(before);
    await scenario.db.query(
      `insert into public.api_keys (account_id, api_id, token) values (4, 1, 'made by an old release')`,
    );
    expect(await status()).to.include({ moved: before.moved + 1, total: before.total + 1 });
  });
});
