import { expect } from 'chai';
import { startChild } from '../support/child.js';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { gateAt, until, waitingSessions } from '../support/waiting.js';

const PACE = '--batch-size 3 --concurrency 2';

describe('migrate, interrupted', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    await scenario.must(`migrate --yes --until expand --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`);
  });
  afterEach(() => scenario.close());

  /** Starts a migration that comes to a halt in the batch of key 7, with others done. */
  const halfway = async () => {
    const gate = await gateAt(scenario.db, 7);
    const migration = scenario.start(`migrate --yes ${PACE}`);
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    return { gate, migration };
  };

  const endsWell = async () => {
    const legacy = await scenario.legacyDigest();
    await scenario.must(`migrate --yes ${PACE}`, 6);
    await assertInvariants(scenario.db);
    await scenario.everyPair('all');
    expect(await scenario.legacyDigest()).to.equal(legacy);
    const other = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    try {
      await other.must(`migrate --yes --holds ${await other.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
      expect(await scenario.targetDigest()).to.equal(await other.targetDigest());
    } finally {
      await other.close();
    }
  };

  it('ends with 130 on Ctrl-C and goes on where it stopped', async () => {
    const { gate, migration } = await halfway();
    migration.signal('SIGINT');
    const { exitCode, stderr, stdout } = await migration.ended;
    expect([exitCode, stdout]).to.deep.equal([130, '']);
    expect(stderr)
      .to.include('SIGINT')
      .and.not.match(/\n +at /);
    await gate.remove();
    expect((await scenario.must('status --json')).json()).to.include({ stage: 'expand', state: 'idle' });
    await endsWell();
  });

  it('lets a second migrate in only to join, or refuses it', async () => {
    const { gate, migration } = await halfway();
    const second = scenario.start(`migrate --yes ${PACE}`);
    let ended = false;
    void second.ended.then(() => {
      ended = true;
    });
    await until(
      'the second to be refused or to be at work beside the first',
      async () => ended || (await scenario.db.query('select from keylift.runs where ended_at is null')).length > 1,
    );
    if (ended) {
      const { exitCode, stderr } = await second.ended;
      expect(exitCode).to.equal(3);
      expect(stderr).to.include('another keylift is at work').and.include(String(process.pid));
    }
    await gate.remove();
    expect((await migration.ended).exitCode).to.equal(6);
    expect([3, 6]).to.include((await second.ended).exitCode);
    await endsWell();
  });

  it('outlives the loss of its sessions, or ends with 5 and goes on where it stopped', async () => {
    const { gate, migration } = await halfway();
    await scenario.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and application_name like 'keylift%'`,
    );
    await gate.remove();
    const { exitCode, stderr } = await migration.ended;
    expect([5, 6], stderr).to.include(exitCode);
    expect(stderr)
      .to.match(/lost the connection|connection was lost/)
      .and.not.match(/\n +at /);
    await scenario.endLease();
    await endsWell();
  });

  it('waits for a lock that a batch needs, and goes on', async () => {
    const { gate, migration } = await halfway();
    await until('the batch to give way once', () => migration.stderrSoFar().includes('waiting'));
    await gate.remove();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(6);
    await endsWell();
  });

  it('goes on by itself when the session that builds an index is ended', async () => {
    await scenario.must('migrate --yes --until backfill', 6);
    const writer = await scenario.db.connect();
    await writer.query(
      `begin; insert into public.account_api_keys (account_id, name, token) values (4, 'x', 'not committed')`,
    );
    const migration = scenario.start('migrate --yes');
    await until('the build to wait for the writer', async () => (await waitingSessions(scenario.db)) > 0);
    await scenario.db.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
        and application_name like 'keylift-ddl%'`,
    );
    await writer.query('rollback');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(6);
    expect(stderr).to.include('the connection was lost; trying again');
    await endsWell();
  });

  for (const [what, block] of [
    [
      "a writer keeps the mirror's triggers out",
      async (s: Scenario) => {
        await s.must('rollback --yes');
        const writer = await s.db.connect();
        await writer.query(`begin; update public.api_keys set last_used_at = last_used_at where id = 1`);
        return writer;
      },
    ],
    [
      'a writer keeps the ranges from being cut',
      async (s: Scenario) => {
        const writer = await s.db.connect();
        await writer.query(`begin; update public.api_keys set name = 'written meanwhile' where id = 1`);
        return writer;
      },
    ],
    [
      'a writer keeps an index from being built',
      async (s: Scenario) => {
        await s.must('migrate --yes --until backfill', 6);
        const writer = await s.db.connect();
        await writer.query(
          `begin; insert into public.account_api_keys (account_id, name, token) values (4, 'x', 'not committed')`,
        );
        return writer;
      },
    ],
  ] as const) {
    it(`obeys Ctrl-C soon while ${what}`, async () => {
      const writer = await block(scenario);
      const migration = scenario.start('migrate --yes');
      await until('it to wait', async () => (await waitingSessions(scenario.db)) > 0);
      const asked = performance.now();
      migration.signal('SIGINT');
      let exitCode: number | undefined;
      void migration.ended.then((ended) => {
        exitCode = ended.exitCode;
      });
      try {
        await until('the run to end', () => exitCode !== undefined, 10);
        expect(exitCode).to.equal(130);
        expect(performance.now() - asked).to.be.lessThan(10_000);
      } finally {
        await writer.query('rollback');
        await migration.ended;
      }
      await endsWell();
    });
  }

  /** Another run takes the lead, as it may when the lease of this one has ended. */
  const takeOver = async (): Promise<void> => {
    await scenario.endLease();
    await scenario.db.query(`
      with other as (insert into keylift.runs (command, host, pid, version, lease_until)
        values ('migrate', 'elsewhere', 1, '0', clock_timestamp() + interval '1 hour') returning run_id)
      update keylift.control set owner = other.run_id, fence = fence + 1,
        owned_until = clock_timestamp() + interval '1 hour' from other`);
  };

  it("writes nothing once its lease is another's, and says so", async () => {
    const { gate, migration } = await halfway();
    await takeOver();
    const before = await scenario.batchesDone();
    await gate.open();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(3);
    expect(stderr).to.include('lease');
    expect((await scenario.batchesDone()) - before).to.be.at.most(2); // those that were past their check
    await gate.remove();
    await scenario.endLease();
    await endsWell();
  });

  it('runs no step of DDL that got its lock after the lease was lost', async () => {
    await scenario.must('migrate --yes --until backfill', 6);
    const steps = () => scenario.db.query('select name from keylift.knex_migrations order by id');
    const writer = await scenario.db.connect();
    await writer.query('begin; lock public.accounts in row exclusive mode');
    const migration = scenario.start('migrate --yes');
    await until('a step to wait', () => migration.stderrSoFar().includes('a lock that step'));
    const before = await steps();
    await takeOver();
    await writer.query('rollback');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(3);
    expect(stderr).to.include('lease');
    expect(await steps()).to.deep.equal(before);
    await scenario.endLease();
    await endsWell();
  });

  it('lets the next run in soon after a run was killed', async () => {
    const gate = await gateAt(scenario.db, 7);
    const child = startChild(`migrate --yes ${PACE}`, { url: scenario.db.url });
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    child.process.kill('SIGKILL');
    expect(await child.exited).to.equal('SIGKILL');
    await gate.remove();
    await endsWell(); // it may wait for the dead run's lease, but not refuse
  });
});

describe('migrate with 200,000 keys, killed', () => {
  const ROUNDS = 4;
  let scenario: Scenario;
  let undisturbed: Scenario;
  before(async () => {
    [scenario, undisturbed] = [await Scenario.open(), await Scenario.open()];
    for (const { db } of [scenario, undisturbed]) await plantMany(db, { keys: 200_000 });
    await undisturbed.must('migrate --yes --batch-size 20000');
  });
  after(async () => {
    await Promise.all([scenario.close(), undisturbed.close()]);
  });

  it('ends in the same state as a run that never was', async () => {
    const legacy = await scenario.legacyDigest();
    let kills = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const enough = (await scenario.batchesDone()) + 5 + Math.floor(Math.random() * 60);
      const child = startChild('migrate --yes --until backfill --batch-size 500 --concurrency 2', {
        url: scenario.db.url,
      });
      let over = false;
      void child.exited.then(() => {
        over = true;
      });
      await until(`batch ${String(enough)}`, async () => over || (await scenario.batchesDone()) >= enough);
      child.process.kill('SIGKILL');
      const end = await child.exited;
      if (end === 'SIGKILL') kills += 1;
      else expect(end, child.output().stderr).to.equal(0);
      await scenario.assertNoSecrets(JSON.stringify(child.output()));
      await scenario.endLease();
    }
    expect(kills, 'kills that met a run at work').to.be.greaterThan(0);
    const report = (await scenario.must('migrate --yes --json')).json();
    expect(await scenario.targetDigest()).to.equal(await undisturbed.targetDigest());
    expect(report).to.include({ stage: 'switch', moved: 180_000, merged: 0, exceptions: 0 });
    await assertInvariants(scenario.db);
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });
});
