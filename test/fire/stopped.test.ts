import { expect } from 'chai';
import { startChild } from '../support/child.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { until } from '../support/waiting.js';
import { lastWord } from './verdict.js';

const BEATING = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
  and query ilike '%update keylift.control set owned_until%'`;

describe('a run that is stopped, with what it holds', function () {
  this.timeout(180_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 600 });
  });
  afterEach(() => scenario.close());

  it('in the middle of a heartbeat keeps no successor out for longer than its lease', async () => {
    await scenario.must('migrate --yes --until expand');
    await scenario.must('pause');
    const asleep = startChild('migrate --yes', { url: scenario.url });
    await until(
      'it to lead',
      async () => (await scenario.db.query(`select from keylift.runs where waiting_kind = 'paused'`)).length > 0,
    );
    const holder = await scenario.db.connect();
    await holder.query('begin; select from keylift.control for update');
    await until('a heartbeat to be half done', async () => (await scenario.db.query(BEATING)).length > 0);
    asleep.process.kill('SIGSTOP');
    await holder.query('rollback');
    const began = performance.now();
    await scenario.must('resume');
    const { exitCode, stderr } = await scenario.start('rollback --yes').ended;
    const seconds = (performance.now() - began) / 1000;
    expect(exitCode, stderr).to.equal(0);
    asleep.process.kill('SIGCONT');
    expect([3, 5], asleep.output().stderr).to.include(await asleep.exited);
    await lastWord(scenario, { 'seconds until the successor was done': seconds.toFixed(1) });
  });
});
