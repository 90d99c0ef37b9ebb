import { expect } from 'chai';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY } from '../support/motley.js';
import { Proxy } from '../support/proxy.js';
import { Scenario } from '../support/scenario.js';
import { until } from '../support/waiting.js';

const MIGRATE = 'migrate --yes --batch-size 3';

describe('migrate, on a bad network', () => {
  let scenario: Scenario;
  let proxy: Proxy;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    proxy = await Proxy.before(scenario.db.url);
  });
  afterEach(async () => {
    await proxy.close();
    await scenario.close();
  });

  const through = (line: string) => scenario.start(line, { url: proxy.url(scenario.db.url) });

  const endsWell = async () => {
    await scenario.must('verify');
    await assertInvariants(scenario.db);
    await scenario.everyPair('all');
  };

  for (const [what, statement] of [
    ['copies keys', /INSERT INTO "public"."account_api_keys"/],
    ['adds constraints', /NOT VALID/],
    ['proves', /DELETE FROM keylift\.proof_duplicates/],
    ['switches', /FROM keylift\.switch_rule FOR UPDATE/],
  ] as const) {
    it(`goes on by itself when its connection is reset while it ${what}`, async () => {
      const met = proxy.resetDuring(statement);
      const migration = through(MIGRATE);
      await met;
      const { exitCode, stderr } = await migration.ended;
      expect(exitCode, stderr).to.equal(6);
      expect(stderr).to.include('the connection was lost; trying again');
      await endsWell();
    });
  }

  it('goes on by itself when all its connections are cut', async () => {
    const migration = through(MIGRATE);
    await until('some batches', async () => (await scenario.batchesDone()) > 2);
    proxy.cut();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(6);
    await endsWell();
  });

  it('finds out what became of a commit whose answer never arrived', async () => {
    await scenario.must('migrate --yes --until verify', 6);
    proxy.loseAnswerToCommit();
    const { exitCode, stderr } = await through(MIGRATE).ended;
    expect(proxy.lostAnswers).to.equal(1);
    expect([5, 6], stderr).to.include(exitCode);
    if (exitCode === 5) await scenario.must(MIGRATE, 6);
    await endsWell();
  });

  it('is only slower on a slow line, and outlives a pause of it', async () => {
    proxy.delay(2);
    const migration = through(MIGRATE);
    await until('some batches', async () => (await scenario.batchesDone()) > 2);
    proxy.stall();
    proxy.heal();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(6);
    await endsWell();
  });

  it('ends with 5 where there is no connection to be had, and goes on later', async () => {
    const migration = through(MIGRATE);
    await until('some batches', async () => (await scenario.batchesDone()) > 2);
    proxy.refuse();
    proxy.reset();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(5);
    expect(stderr)
      .to.include('trying again')
      .and.include('un the same command again')
      .and.not.match(/\n +at /);
    proxy.heal();
    await scenario.endLease();
    const again = await through(MIGRATE).ended;
    expect(again.exitCode, again.stderr).to.equal(6);
    await endsWell();
  }).timeout(180_000);

  it('ends with 5 when the network swallows everything for longer than its lease', async () => {
    const migration = through(MIGRATE);
    await until('some batches', async () => (await scenario.batchesDone()) > 2);
    proxy.stall();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(5);
    expect(stderr)
      .to.include('no answer for 20 s')
      .and.not.match(/\n +at /);
    proxy.reset();
    proxy.heal();
    await scenario.endLease();
    const again = await through(MIGRATE).ended;
    expect(again.exitCode, again.stderr).to.equal(6);
    await endsWell();
  }).timeout(180_000);
});
