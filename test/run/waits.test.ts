import { expect } from 'chai';
import { plantMany } from '../support/seed.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';

interface Waited {
  kind: string;
  reason: string;
  seconds: number;
  from: string;
  to: string;
}

describe('waits in the ledger', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 2_000 });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());
  const waits = async (): Promise<Waited[]> =>
    (
      await scenario.db.query<{ facts: Waited }>(
        `select facts from keylift.events where kind = 'waiting' order by event_no`,
      )
    ).map(({ facts }) => facts);
  const open = async (): Promise<{ waiting_kind: string | null; since: boolean }[]> =>
    scenario.db.query(
      'select waiting_kind, waiting_since is not null as since from keylift.runs where ended_at is null',
    );

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
    expect(wait).to.include({ kind: 'paused', reason: 'paused by an operator; to continue: keylift resume' });
    expect((Date.parse(wait!.to) - Date.parse(wait!.from)) / 1000)
      .to.be.closeTo(wait!.seconds, 0.01)
      .and.be.greaterThan(0);
  });

  it('say so when a run is stopped while it waits', async () => {
    await scenario.must('pause');
    const migration = scenario.start('migrate --yes --until backfill');
    await until('the run to wait', async () => (await open()).some(({ waiting_kind }) => waiting_kind === 'paused'));
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    expect((await waits()).map(({ kind }) => kind)).to.deep.equal(['paused']);
    expect(
      await scenario.db.query(
        'select waiting_for, waiting_kind, waiting_since from keylift.runs where waiting_kind is not null',
      ),
    ).to.deep.equal([]);
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

  describe('of steps and pages that meet a lock', () => {
    const lockWait = async () => (await open()).some(({ waiting_kind }) => waiting_kind === 'lock');
    const told = async (): Promise<{ state: string; reason: string }> => (await scenario.must('status --json')).json();

    it('name the session that keeps an index from being built, in status and in the report', async () => {
      await scenario.must('migrate --yes --until backfill');
      // Where another role can write to the new table, a build waits for every older transaction.
      await scenario.db.query('grant insert on public.account_api_keys to pg_monitor');
      const writer = await scenario.db.connect();
      await writer.query(
        `set application_name = 'the night shift'; begin; insert into public.account_api_keys (account_id, name, token)
          values (4, 'x', 'not committed')`,
      );
      const migration = scenario.start('migrate --yes --until harden');
      await until('the run to wait', lockWait);
      expect(await told())
        .to.include({ state: 'waiting' })
        .and.have.property('reason')
        .that.matches(/^process \d+ \(the night shift\), in a transaction for \d+ s/);
      await writer.query('rollback');
      expect((await migration.ended).exitCode).to.equal(0);
      const [wait, ...more] = (await waits()).filter(({ kind }) => kind === 'lock');
      expect(more).to.deep.equal([]);
      expect(wait!.reason).to.match(/^process \d+ \(the night shift\)/);
      expect(wait!.seconds).to.be.greaterThan(0);
      const page = await scenario.file('page.html', '');
      const { timeline } = (await scenario.must(`report ${page} --json`)).json<{
        timeline: { waited: { kind: string; times: number }[] };
      }>();
      expect(timeline.waited.filter(({ kind }) => kind === 'lock').map(({ times }) => times)).to.deep.equal([1]);
    });

    it('say so while a step tries again and again, and while a page of the archive gives way', async () => {
      await scenario.must('migrate --yes');
      const writer = await scenario.db.connect();
      for (const [hold, reason] of [
        [
          'lock table public.account_api_keys in row exclusive mode',
          /^another session holds a lock that step 13_archive needs|^process /,
        ],
        [
          'select from public.api_keys where id = 3 for update',
          /^a session that changed keys has not committed yet|^another session|^process /,
        ],
      ] as const) {
        await writer.query(`begin; ${hold}`);
        const run = scenario.start('finalize --yes');
        await until('the run to wait', lockWait);
        const { reason: why } = await told();
        await writer.query('commit');
        expect((await run.ended).exitCode).to.equal(0);
        expect(why).to.match(reason);
        expect(await open()).to.deep.equal([]);
        await scenario.must('rollback --yes');
        await scenario.must('migrate --yes');
      }
      expect((await waits()).filter(({ kind }) => kind === 'lock').length).to.be.at.least(2);
      expect(await scenario.db.query('select from keylift.runs where waiting_kind is not null')).to.deep.equal([]);
    });
  });
});
