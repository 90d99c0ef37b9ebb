import { expect } from 'chai';
import { startChild } from '../support/child.js';
import { assertInvariants } from '../support/invariants.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { gateAt, until, waitingSessions } from '../support/waiting.js';

const KEYS = 400;
const POISON = 303; // the 101st key, of a store API
const PACE = '--batch-size 20';

interface StatusAnswer {
  state: string;
  reason: string | null;
}

/** The backfill as an operator meets it: steered, slowed down, joined, failing. */
describe('backfill', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());

  const status = async (): Promise<StatusAnswer> => (await scenario.must('status --json')).json<StatusAnswer>();

  const untilStatus = (state: string, reason: RegExp) =>
    until(`status ${state}, ${String(reason)}`, async () => {
      const now = await status();
      return now.state === state && reason.test(now.reason ?? '');
    });

  const endsWell = async () => {
    await scenario.must('migrate --yes');
    await assertInvariants(scenario.db);
  };

  describe('with a row that always times out', () => {
    beforeEach(() =>
      scenario.db.query(`
      create function public.test_poison() returns trigger language plpgsql as $$
      begin raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled'; end $$;
      create trigger aa_test_poison before insert on public.account_api_keys
        for each row when (new.id = ${String(POISON)}) execute function public.test_poison()`),
    );

    it('splits its range, tries three times, does all others and ends with 5 and the range', async () => {
      const { exitCode, stdout, stderr } = await scenario.run(`migrate --yes ${PACE} --concurrency 2`);
      expect([exitCode, stdout]).to.deep.equal([5, '']);
      const [failed, ...others] = await scenario.db.query<{
        after_id: string;
        upto_id: string;
        sqlstate: string;
        tries: number;
        rows: string;
      }>(`
        select after_id, upto_id, sqlstate, tries, (select count(*) from public.api_keys k
          where k.id > b.after_id and k.id <= b.upto_id) as rows
        from keylift.batches b where state = 'failed'`);
      expect(others).to.deep.equal([]);
      expect(failed).to.include({ sqlstate: '57014', tries: 3 });
      expect(Number(failed!.after_id)).to.be.lessThan(POISON);
      expect(Number(failed!.upto_id)).to.be.at.least(POISON);
      expect(Number(failed!.rows), 'keys left, of a range of 20').to.be.within(1, 10);
      expect(stderr)
        .to.include('1 ranges of keys failed 3 times')
        .and.include(`after ${failed!.after_id} up to ${failed!.upto_id}`)
        .and.not.match(/\n +at /);
      expect(await scenario.db.query(`select from keylift.batches where state = 'pending'`)).to.have.length(0);
    });

    it('goes on with that range when it is run again', async () => {
      await scenario.must(`migrate --yes ${PACE}`, 5);
      await scenario.must(`migrate --yes ${PACE}`, 5);
      await scenario.db.query('drop function public.test_poison() cascade');
      await endsWell();
    });
  });

  it('waits while it is paused, is tuned meanwhile, and goes on when it is resumed', async () => {
    await scenario.must('pause');
    const migration = scenario.start(`migrate --yes ${PACE} --concurrency 1`);
    await untilStatus('paused', /paused by an operator/);
    await until('the run to say so', () => migration.stderrSoFar().includes('paused by an operator'));
    expect(await scenario.batchesDone()).to.equal(0);
    await scenario.must('tune --concurrency 2');
    const gate = await gateAt(scenario.db, 3);
    await scenario.must('resume');
    // The first range is halted at the gate: with one at once, nothing else would get done.
    await until(
      'all other ranges to be done',
      async () =>
        (await scenario.db.query(`select from keylift.batches where open`)).length === 1 &&
        (await scenario.batchesDone()) > 1,
    );
    await gate.remove();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stderr).to.include('paused by an operator');
    await assertInvariants(scenario.db);
  });

  it('makes batches smaller than its ranges when it is tuned so', async () => {
    await scenario.must('pause');
    const migration = scenario.start('migrate --yes');
    await untilStatus('paused', /paused by an operator/);
    await scenario.must('tune --batch-size 70');
    await scenario.must('resume');
    expect((await migration.ended).exitCode).to.equal(0);
    const [most] = await scenario.db.query<{ rows: string; batches: string }>(
      `select max(rows) as rows, count(*) as batches from keylift.batches where state = 'done'`,
    );
    expect(Number(most!.rows)).to.equal(70);
    expect(Number(most!.batches)).to.be.above(3);
    await assertInvariants(scenario.db);
  });

  it('waits where replica lag has a limit and cannot be read', async () => {
    await scenario.must('tune --max-lag 1');
    const migration = scenario.start(`migrate --yes ${PACE}`);
    await untilStatus('waiting', /replica lag cannot be read: no replica is connected/);
    migration.signal('SIGINT');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode).to.equal(130);
    expect(stderr).to.include('replica lag cannot be read');
    expect(await scenario.batchesDone()).to.equal(0);
    await scenario.must('tune --max-lag none');
    await endsWell();
  });

  it('gives way while more sessions are at work than it was told', async () => {
    const [holder, busy] = [await scenario.db.connect(), await scenario.db.connect()];
    await holder.query('select pg_advisory_lock(42)');
    const work = busy.query('select pg_advisory_lock(42)'); // at work until the holder lets go
    const migration = scenario.start(`migrate --yes ${PACE} --max-active 0`);
    await untilStatus('waiting', /sessions? (is|are) at work; the limit is 0/);
    await holder.query('select pg_advisory_unlock_all()');
    await work;
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stderr).to.include('at work; the limit is 0').and.include('continues');
  });

  it('is done by two runs at once, no range twice and none left out', async () => {
    const gate = await gateAt(scenario.db, 3);
    const first = scenario.start(`migrate --yes ${PACE} --concurrency 1`);
    await until(
      'the first to cut the ranges',
      async () => (await scenario.db.query(`select from keylift.batches where state = 'pending'`)).length > 1,
    );
    const second = scenario.start(`migrate --yes ${PACE} --concurrency 1`);
    await until(
      "the second to do all but the first's range",
      async () => (await scenario.db.query('select from keylift.batches where open')).length === 1,
    );
    await gate.remove();
    expect([(await first.ended).exitCode, (await second.ended).exitCode]).to.deep.equal([0, 0]);
    const [sums] = await scenario.db.query<{ runs: string; rows: string }>(
      `select count(distinct run_id) as runs, sum(rows) as rows from keylift.batches where state = 'done'`,
    );
    expect(sums).to.deep.equal({ runs: '2', rows: String(KEYS) });
    await assertInvariants(scenario.db);
  });

  it('is taken over from a run that was stopped past its lease, which writes nothing once it is woken', async () => {
    const gate = await gateAt(scenario.db, POISON);
    const asleep = startChild(`migrate --yes ${PACE} --concurrency 1`, { url: scenario.db.url });
    await until('it to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
    asleep.process.kill('SIGSTOP');
    await scenario.endLease();
    const second = scenario.start(`migrate --yes ${PACE} --concurrency 1`);
    await until(
      'the second to do all but the range that is held',
      async () => (await scenario.db.query('select from keylift.batches where open')).length === 1,
    );
    await gate.open(); // the statement ends; its transaction is open until the process is woken
    asleep.process.kill('SIGCONT');
    expect(await asleep.exited, asleep.output().stderr).to.equal(3);
    expect(asleep.output().stderr).to.include('lease');
    const { exitCode, stderr } = await second.ended;
    expect(exitCode, stderr).to.equal(0);
    await gate.remove();
    const done = await scenario.db.query<{ runs: string; rows: string }>(
      `select count(distinct run_id) as runs, sum(rows) as rows from keylift.batches where state = 'done'`,
    );
    expect(done).to.deep.equal([{ runs: '2', rows: String(KEYS) }]);
    await assertInvariants(scenario.db);
  });
});
