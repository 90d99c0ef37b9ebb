import { expect } from 'chai';
import type { Status } from '../../src/status/status.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { until } from '../support/waiting.js';

describe('status, pause and tune with several runs', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 2_000 });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());
  const status = async (): Promise<Status> => (await scenario.must('status --json')).json<Status>();

  it('find the second run when the first one, which led, is stopped', async () => {
    await scenario.must('pause');
    const line = 'migrate --yes --until backfill --batch-size 100 --concurrency 1';
    const first = scenario.start(line);
    await until('the first run to wait', async () => (await status()).run !== null);
    const leader = (await status()).run!.id;
    const second = scenario.start(line);
    await until('both runs', async () => (await status()).run?.runs === 2);
    first.signal();
    expect((await first.ended).exitCode).to.equal(130);
    const { state, run, silent_run: silent } = await status();
    expect({ state, runs: run?.runs, silent }).to.deep.equal({ state: 'paused', runs: 1, silent: null });
    expect(run?.id).to.not.equal(leader);
    expect((await scenario.must('status')).stdout).to.match(/last heartbeat \d(\.\d)? s ago/);
    expect((await scenario.must('pause')).stdout).to.not.include('No run is active');
    expect((await scenario.must('tune --concurrency 3')).stdout).to.not.include('No run is active');
    await scenario.must('resume');
    expect((await second.ended).exitCode).to.equal(0);
  });

  it('name a killed run and since when it is silent, until another run begins', async () => {
    const [killed] = await scenario.db.query<{ run_id: string }>(`
      update keylift.runs set ended_at = null, exit_code = null, pid = 4711, host = 'elsewhere',
        heartbeat_at = clock_timestamp() - interval '90 s', lease_until = clock_timestamp() - interval '70 s'
      returning run_id`);
    const { run, silent_run: silent, reason } = await status();
    expect(run).to.equal(null);
    expect(silent).to.include({ id: killed!.run_id, command: 'migrate', host: 'elsewhere', pid: 4711 });
    expect(silent!.heartbeat_seconds).to.be.within(90, 120);
    expect(reason).to.match(/^the run migrate on elsewhere, process 4711, is silent since \d{4}-\d\d-\d\dT[^;]*Z; /);
    await scenario.must('migrate --yes --until backfill');
    expect((await status()).silent_run).to.equal(null);
  });

  it('shows a run with a fresh heartbeat before a leader that misses its heartbeats', async () => {
    await scenario.must('pause');
    const migration = scenario.start('migrate --yes --until backfill');
    await until('the run to wait', async () => (await status()).run !== null);
    const { id } = (await status()).run!;
    await scenario.db.query(`
      with dead as (insert into keylift.runs (command, host, pid, version, heartbeat_at, lease_until)
        values ('migrate', 'elsewhere', 4711, '0', clock_timestamp() - interval '15 s', clock_timestamp() + interval '5 s')
        returning run_id)
      update keylift.control set owner = dead.run_id from dead`);
    expect((await status()).run).to.include({ id, runs: 2 });
    migration.signal();
    await migration.ended;
    const { run, reason } = await status();
    expect(run).to.include({ host: 'elsewhere' });
    expect(reason).to.match(/^paused/);
  });
});
