import { expect } from 'chai';
import { paceOf } from '../../src/proof/probe/pace.js';
import { NEVER } from '../../src/timing.js';

describe('the pace of a probe', () => {
  it('spreads starts evenly, and saves none up while nobody asks', async () => {
    let clock = 1000;
    const waits: number[] = [];
    const start = paceOf({
      stop: NEVER,
      perSecond: 4,
      now: () => clock,
      wait: (milliseconds) => {
        waits.push(milliseconds);
        clock += milliseconds;
        return Promise.resolve();
      },
    });
    for (let n = 0; n < 3; n += 1) await start();
    expect([clock, waits]).to.deep.equal([1500, [250, 250]]);
    clock += 10_000;
    await start();
    await start();
    expect([clock, waits]).to.deep.equal([11_750, [250, 250, 250]]);
  });

  it('lets several ask at once, one start after the other', async () => {
    const waits: number[] = [];
    const start = paceOf({
      stop: NEVER,
      perSecond: 10,
      now: () => 0,
      wait: (milliseconds) => Promise.resolve(waits.push(milliseconds)),
    });
    await Promise.all([start(), start(), start()]);
    expect(waits).to.deep.equal([100, 200]);
  });

  it('ends when asked to', async () => {
    const start = paceOf({ perSecond: 10, now: () => 0, stop: AbortSignal.abort(), wait: () => Promise.resolve() });
    expect(await start().catch((error: unknown) => (error as Error).name)).to.equal('AbortError');
  });
});
