import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import type { StageOptions } from '../../src/run/context.js';
import { DEFAULT_PACE } from '../../src/run/context.js';
import { LatencyBrake } from '../../src/stages/backfill/latency/brake.js';
import type { Measured } from '../../src/stages/backfill/latency/timer.js';
import { LookupTimes } from '../../src/stages/backfill/latency/times.js';
import type { Status } from '../../src/status/status.js';
import { plantMany } from '../support/seed.js';
import { Scenario, type Running } from '../support/scenario.js';
import { schemaOf } from '../schemas/answers.js';
import { until } from '../support/waiting.js';

const MIGRATE = 'migrate --yes --until backfill --batch-size 100';

describe('--max-latency', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 2_000 });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());

  const status = async (): Promise<Status> => (await scenario.must('status --json')).json<Status>();
  const waitsFor = (reason: RegExp): Promise<void> =>
    until(String(reason), async () => reason.test((await status()).reason ?? ''));

  /** A paused run times lookups, too: after some seconds it has slowed down as far as it can. */
  const startSlow = async (line: string): Promise<Running> => {
    await scenario.must('pause');
    const migration = scenario.start(line);
    await until('60 lookups to be timed', async () => ((await status()).lookups?.samples ?? 0) > 60);
    await scenario.must('resume');
    return migration;
  };

  it('holds a run while key lookups take longer, and shows their time everywhere', async () => {
    const metrics = await scenario.file('keylift.prom', '');
    const migration = await startSlow(`${MIGRATE} --max-latency 0.1ms --metrics-file ${metrics}`);
    await waitsFor(/^95 of 100 key lookups take up to [\d.]+ ms; the limit is 0\.10 ms$/);
    await until('the ledger to have a measurement', async () => (await status()).lookups !== null);
    const answer = await status();
    expect(schemaOf('status')(answer)).to.equal(true);
    expect(answer.state).to.equal('waiting');
    expect(answer.lookups).to.include({ limit_seconds: 0.0001 });
    expect(answer.lookups!.p95_seconds).to.be.above(0.0001);
    expect((await scenario.must('status')).stdout).to.match(/95 of 100 key lookups take up to/);
    await until('the metrics to have it', async () =>
      /^keylift_lookup_p95_seconds[ {]/m.test(await readFile(metrics, 'utf8')),
    );
    await scenario.must('tune --max-latency 60s');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stderr)
      .to.match(/ {3}95 of 100 key lookups take up to [\d.]+ ms; the limit is/)
      .and.include('continues');
    const report = await scenario.file('report.html', '');
    await scenario.must(`report ${report}`);
    const page = await readFile(report, 'utf8');
    expect(page).to.include('slow key lookups').and.include('95 of 100 within');
  });

  it('ends with a Ctrl-C, and leaves no session behind', async () => {
    const migration = await startSlow(`${MIGRATE} --max-latency 0.1ms`);
    await waitsFor(/^95 of 100/);
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    // The server ends a session a moment after its client closed it.
    await until('no session to be left', async () => {
      const left = await scenario.db.query(
        `select from pg_stat_activity where datname = current_database() and application_name like 'keylift%'`,
      );
      return left.length === 0;
    });
  });

  it('does not hold a run up where lookups are fast enough, nor where there is no key', async () => {
    await scenario.must(`${MIGRATE} --max-latency 60s`);
    const empty = await Scenario.open();
    try {
      await empty.must(`${MIGRATE} --max-latency 0.1ms`);
    } finally {
      await empty.close();
    }
  });
});

describe('the brake on latency', () => {
  /** A brake over times that the test gives; each look has the same p95 until it is changed. */
  const build = () => {
    const world = { p95: null as number | null, measured: 'times' as Measured, forgotten: 0 };
    const times = new LookupTimes();
    times.forgetLatest = () => {
      world.forgotten += 1;
    };
    const timer = {
      times,
      get measured() {
        return world.measured;
      },
      p95: () => world.p95,
      end: () => Promise.resolve(),
    };
    const brake = new LatencyBrake({} as ConstructorParameters<typeof LatencyBrake>[0], () => timer);
    const options: StageOptions & { paused: boolean } = {
      ...DEFAULT_PACE,
      paused: false,
      concurrency: 4,
      maxLatency: 0.002,
    };
    const look = (p95: number | null) => {
      world.p95 = p95;
      const { steering, reason } = brake.look(options);
      return [steering.concurrency, steering.batchSeconds, reason === null ? 'goes on' : 'waits'];
    };
    return { world, look, brake, options };
  };

  it('halves the pace twice, then waits; goes on at the slow pace, and is faster after a calm time', () => {
    const { look, world } = build();
    expect(look(null)).to.deep.equal([4, 0.5, 'waits']);
    expect(look(0.001)).to.deep.equal([4, 0.5, 'goes on']);
    expect(look(0.003)).to.deep.equal([2, 0.25, 'goes on']);
    expect(look(null)).to.deep.equal([2, 0.25, 'goes on']);
    expect(look(0.003)).to.deep.equal([1, 0.125, 'goes on']);
    expect(look(0.003)).to.deep.equal([1, 0.125, 'waits']);
    expect(look(0.003)).to.deep.equal([1, 0.125, 'waits']);
    expect(look(0.002)).to.deep.equal([1, 0.125, 'goes on']);
    expect(world.forgotten).to.equal(4);
    for (let calm = 0; calm < 9; calm += 1) expect(look(0.001)[0]).to.equal(1);
    expect(look(0.001)).to.deep.equal([2, 0.25, 'goes on']);
  });

  it('waits while lookups cannot be timed', () => {
    const { brake, world, options } = build();
    world.measured = { fault: '53300' };
    expect(brake.look(options).reason).to.deep.equal({
      kind: 'latency',
      text: 'key lookups cannot be timed (53300); to continue without it: keylift tune --max-latency none',
    });
    world.measured = 'no_keys';
    expect(brake.look(options).reason).to.equal(null);
  });
});

describe('the times of lookups', () => {
  it('have their 95th percentile, of the latest and of all', () => {
    const times = new LookupTimes();
    for (let n = 1; n <= 9; n += 1) times.add(n / 1000);
    expect(times.p95(null)).to.equal(null);
    expect(times.p95(1)).to.equal(1);
    for (let n = 10; n <= 100; n += 1) times.add(n / 1000);
    expect(times.p95(null)).to.equal(0.098);
    expect(times.p95OfAll()).to.be.closeTo(0.095, 0.002);
    expect(times.samples).to.equal(100);
    times.forgetLatest();
    expect(times.p95(null)).to.equal(null);
  });
});
