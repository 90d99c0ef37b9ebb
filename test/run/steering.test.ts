import { expect } from 'chai';
import { feed } from '../../src/run/feed.js';
import { FIRST_ROWS, Pace } from '../../src/run/pace.js';
import { Throttle, type Reason } from '../../src/run/throttle.js';

describe('the pace of batches', () => {
  const LIMITS = { least: 1_000, most: 100_000, batchSeconds: 0.5 };
  const run = (pace: Pace, rowsPerSecond: number, batches: number): number[] =>
    Array.from({ length: batches }, () => {
      const rows = pace.size;
      pace.finished({ rows, seconds: rows / rowsPerSecond });
      return rows;
    });

  it('begins small, then settles where a batch takes its time', () => {
    const pace = new Pace(LIMITS);
    expect(pace.size).to.equal(FIRST_ROWS);
    run(pace, 100_000, 30);
    expect(pace.size).to.be.closeTo(50_000, 500);
  });

  it('changes smoothly: no batch is more than twice or less than half of the one before', () => {
    const pace = new Pace(LIMITS);
    const sizes = [...run(pace, 1_000_000, 5), ...run(pace, 2_000, 8)];
    sizes.slice(1).forEach((rows, at) => expect(rows / sizes[at]!).to.be.within(0.5, 2));
  });

  it('stays within its limits, whatever is measured', () => {
    const pace = new Pace(LIMITS);
    run(pace, 1e9, 20);
    expect(pace.size).to.equal(100_000);
    run(pace, 1, 20);
    expect(pace.size).to.equal(1_000);
    pace.finished({ rows: 0, seconds: 0 });
    expect(pace.size).to.equal(1_000);
  });

  it('halves after a failure, and takes new limits up at once', () => {
    const pace = new Pace(LIMITS);
    pace.failed();
    expect(pace.size).to.equal(FIRST_ROWS / 2);
    pace.tune({ most: 2_000 });
    expect(pace.size).to.equal(2_000);
  });
});

describe('the throttle', () => {
  const PAUSED = { kind: 'paused', text: 'paused by an operator' } as const;
  const build = (
    reasons: Reason[],
  ): { throttle: Throttle; looks: () => number; told: Reason[]; clock: { now: number }; stop: AbortController } => {
    const clock = { now: 0 };
    const told: Reason[] = [];
    const stop = new AbortController();
    let looks = 0;
    const throttle = new Throttle({
      look: () => Promise.resolve(reasons[Math.min(looks++, reasons.length - 1)] ?? null),
      onChange: (reason) => {
        told.push(reason);
      },
      everyMs: 500,
      now: () => clock.now,
      wait: (ms) => {
        clock.now += ms;
        return Promise.resolve();
      },
      stop: stop.signal,
    });
    return { throttle, looks: () => looks, told, clock, stop };
  };

  it('waits until the reason is gone, and tells each change once', async () => {
    const behind = { kind: 'lag', text: 'a replica is behind' } as const;
    const { throttle, told, clock } = build([behind, { ...behind }, PAUSED, null]);
    await throttle.clear();
    expect(told).to.deep.equal([behind, PAUSED, null]);
    expect(clock.now).to.equal(1_500);
  });

  it('looks once for all who ask within its interval', async () => {
    const { throttle, looks, clock } = build([null]);
    await Promise.all([throttle.clear(), throttle.clear(), throttle.clear()]);
    expect(looks()).to.equal(1);
    clock.now += 500;
    await throttle.clear();
    expect(looks()).to.equal(2);
  });

  it('throws the reason of a stop, also in the middle of a wait', async () => {
    const { throttle, stop, looks } = build([PAUSED]);
    const reason = new Error('stopped');
    stop.abort(reason);
    expect(await throttle.clear().catch((error: unknown) => error)).to.equal(reason);
    expect(looks()).to.equal(0);
  });
});

describe('the feed of batches', () => {
  const never = new AbortController().signal;

  it('keeps no more under way than asked for, and follows a change', async () => {
    let left = 20;
    let atOnce = 0;
    let concurrency = 1;
    const seen: number[] = [];
    await feed({
      concurrency: () => concurrency,
      ready: () => Promise.resolve(),
      stop: never,
      work: async () => {
        atOnce += 1;
        seen.push(atOnce);
        if (left === 10) concurrency = 3;
        await new Promise(setImmediate);
        atOnce -= 1;
        left -= 1;
        return left > 0;
      },
    });
    expect(Math.max(...seen.slice(0, 10))).to.equal(1);
    expect(Math.max(...seen)).to.equal(3);
  });

  it('finishes what is under way before it throws', async () => {
    let finished = 0;
    let begun = 0;
    const work = async (): Promise<boolean> => {
      begun += 1;
      if (begun === 2) throw new Error('broken');
      await new Promise(setImmediate);
      finished += 1;
      return true;
    };
    const error = await feed({ concurrency: () => 2, ready: () => Promise.resolve(), stop: never, work }).then(
      () => null,
      (e: unknown) => e as Error,
    );
    expect(error?.message).to.equal('broken');
    expect(finished).to.equal(begun - 1);
  });

  it('begins nothing after a stop, and says that it was stopped', async () => {
    const stop = new AbortController();
    let begun = 0;
    const work = (): Promise<boolean> => {
      begun += 1;
      stop.abort();
      return Promise.resolve(true);
    };
    const error = await feed({ concurrency: () => 1, ready: () => Promise.resolve(), stop: stop.signal, work }).then(
      () => null,
      (e: unknown) => e as Error,
    );
    expect([begun, error?.name]).to.deep.equal([1, 'AbortError']);
  });
});
