import { expect } from 'chai';
import { plantMany } from '../support/seed.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';

interface Waited { kind: string; reason: string; seconds: number; from: string; to: string }

describe('waits in the ledger', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 2_000 });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());
  const waits = async (): Promise<Waited[]> =>
    (await scenario.db.query<{ facts: Waited }>(`select facts from keylift.events where kind = 'waiting' order by event_no`)).map(({ facts }) => facts);
  const open = async (): Promise<{ waiting_kind: string | null; since: boolean }[]> =>
    scenario.db.query('select waiting_kind, waiting_since is not null as since from keylift.runs where ended_at is null');

  it('say for how long an operator paused a run, once it goes on', async () => {
    await scenario.must('pause');
    const migration = scenario.start('migrate --yes --until backfill --batch-size 100');
    await until('the run to wait', async () => (await open()).some(({ waiting_kind }) => waiting_kind === 'paused'));
    expect(await open()).to.deep.equal([{ waiting_kind: 'paused', since: true }]);
    expect(await waits()).to.deep.equal([]);
    await scenario.must('resume');
    expect((await migration.ended).exitCode).to.equal(0);
    const [wait, ...more] = await waits();
    expect(more).to.deep.equal([]);
    expect(wait).to.include({ kind: 'paused', reason: 'paused by an operator; keylift resume goes on' });
    expect((Date.parse(wait!.to) - Date.parse(wait!.from)) / 1000).to.be.closeTo(wait!.seconds, 0.01).and.be.greaterThan(0);
  });

  it('say so when a run is stopped while it waits', async () => {
    await scenario.must('pause');
    const migration = scenario.start('migrate --yes --until backfill');
    await until('the run to wait', async () => (await open()).some(({ waiting_kind }) => waiting_kind === 'paused'));
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    expect((await waits()).map(({ kind }) => kind)).to.deep.equal(['paused']);
    expect(await scenario.db.query('select waiting_for, waiting_kind, waiting_since from keylift.runs where waiting_kind is not null')).to.deep.equal([]);
  });

  it('are one as long as their kind is, whatever its numbers', async () => {
    const gate = await gateAt(scenario.db, 3);
    const migration = scenario.start('migrate --yes --until backfill --batch-size 100 --concurrency 1 --max-active 0');
    const session = await scenario.db.connect();
    const busy = session.query('select pg_advisory_xact_lock(4711)');
    await until('the run to wait', async () => (await open()).some(({ waiting_kind }) => waiting_kind === 'active'));
    await gate.open();
    await busy;
    expect((await migration.ended).exitCode).to.equal(0);
    expect((await waits()).filter(({ kind }) => kind === 'active')).to.have.length(1);
    await gate.remove();
  });
});
