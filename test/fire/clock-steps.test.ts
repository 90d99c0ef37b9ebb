import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { startChild } from '../support/child.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { FAKETIME, processClock } from '../support/set-clock.js';
import { gateAt, until, waitingSessions } from '../support/waiting.js';
import { lastWord, tell } from './verdict.js';

const KEYS = 1_500;
const PACE = '--batch-size 100 --concurrency 1';
const HOUR_MS = 3_600_000;

/**
 * Everything the ledger says of time, moved by this much: to whoever reads it, that is the server's clock set by as
 * much the other way. Nothing else in keylift compares a time of the server's with one it wrote down before.
 */
const moveLedger = (by: string): string => `
  update keylift.runs set started_at = started_at + interval '${by}', heartbeat_at = heartbeat_at + interval '${by}',
    lease_until = lease_until + interval '${by}'
    where ended_at is null;
  update keylift.control set owned_until = owned_until + interval '${by}'`;

describe('clocks that are set while a run is at work', function () {
  this.timeout(180_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());

  const heartbeat = async (): Promise<string> =>
    (
      await scenario.db.query<{ at: string }>(
        'select heartbeat_at::text as at from keylift.runs where ended_at is null',
      )
    )[0]?.at ?? '';

  const beats = async (count: number): Promise<void> => {
    for (let beat = 0; beat < count; beat += 1) {
      const before = await heartbeat();
      await until('another heartbeat', async () => (await heartbeat()) !== before);
    }
  };

  (FAKETIME === null ? it.skip : it)(
    `the machine's of the run: an hour ahead, then two ` +
      `back${FAKETIME === null ? ' (skipped: libfaketime is not installed)' : ''}`,
    async () => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-clock-'));
      try {
        const log = path.join(folder, 'log');
        const clock = processClock({ folder, offset: '+1h' });
        const gate = await gateAt(scenario.db, 3);
        const run = startChild(`migrate --yes --json ${PACE} --log-file ${log}`, {
          url: scenario.db.url,
          env: clock.env,
        });
        await until('it to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
        await beats(2);
        clock.set('-1h');
        await beats(2);
        await gate.remove();
        expect(await run.exited, run.output().stderr).to.equal(0);
        const told = (await readFile(log, 'utf8'))
          .trim()
          .split('\n')
          .map((line) => Date.parse(String((JSON.parse(line) as Record<string, unknown>).time)));
        expect(Math.max(...told) - Math.min(...told), 'the clock was set').to.be.greaterThan(HOUR_MS);
        const [ledger] = await scenario.db.query<{ near: boolean; fence: string; longest: number }>(`
        select bool_and(abs(extract(epoch from now() - heartbeat_at)) < 600) as near, (select fence::text
          from keylift.control) as fence,
          (select max(seconds) from keylift.batches) as longest from keylift.runs`);
        expect(ledger!.near, "the ledger keeps the server's time").to.equal(true);
        expect(ledger!.fence, 'one run each led').to.equal('2');
        expect(ledger!.longest, 'seconds of a batch').to.be.lessThan(600);
        expect((JSON.parse(run.output().stdout) as { seconds: number }).seconds).to.be.within(0, 600);
        tell({ 'log lines': told.length });
      } finally {
        await rm(folder, { recursive: true });
      }
      await lastWord(scenario);
    },
  );

  it("the server's, an hour back: a living run goes on", async () => {
    const gate = await gateAt(scenario.db, 3);
    const run = scenario.start(`migrate --yes ${PACE}`);
    await until('it to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
    await scenario.db.query(moveLedger('1 hour'));
    await beats(2);
    await gate.remove();
    const { exitCode, stderr } = await run.ended;
    expect(exitCode, stderr).to.equal(0);
    await lastWord(scenario);
  });

  it("the server's, an hour back: a run that died elsewhere is not waited for until its lease ends", async () => {
    await scenario.db.query(`
      with dead as (insert into keylift.runs (command, host, pid, version, lease_until) values ('migrate', 'elsewhere',
        1, '0', clock_timestamp() + interval '1 hour') returning run_id)
      update keylift.control set owner = dead.run_id, fence = fence + 1,
        owned_until = clock_timestamp() + interval '1 hour' from dead`);
    const began = performance.now();
    await scenario.must(`migrate --yes ${PACE}`);
    await lastWord(scenario, { 'ms until the next run was done': Math.round(performance.now() - began) });
  });

  it("the server's, an hour ahead: a run whose lease ended with that writes nothing more, and the next one goes on", async () => {
    const gate = await gateAt(scenario.db, 3);
    const run = scenario.start(`migrate --yes ${PACE}`);
    await until('it to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
    await scenario.db.query(moveLedger('-1 hour'));
    const before = await scenario.batchesDone();
    await gate.open();
    const { exitCode, stderr } = await run.ended;
    expect(exitCode, stderr).to.equal(3);
    expect(stderr).to.include('lease');
    expect((await scenario.batchesDone()) - before).to.be.at.most(1); // the one that was past its check
    await gate.remove();
    await lastWord(scenario);
  });
});
