import { expect } from 'chai';
import { pauseBefore, retry } from '../../src/database/retry.js';

const always = () => true;

describe('retry', () => {
  it('pauses longer each time, up to the limit, and gives the attempts their numbers', async () => {
    const pauses: number[] = [];
    const attempts: number[] = [];
    const answer = await retry(
      async (attempt) => {
        attempts.push(attempt);
        if (attempt < 5) throw new Error('busy');
        return Promise.resolve('done');
      },
      {
        attempts: 5,
        baseMs: 100,
        maxMs: 300,
        when: always,
        random: () => 1,
        sleep: async (milliseconds) => {
          pauses.push(milliseconds);
          return Promise.resolve();
        },
      },
    );
    expect(answer).to.equal('done');
    expect(attempts).to.deep.equal([1, 2, 3, 4, 5]);
    expect(pauses).to.deep.equal([100, 200, 300, 300]);
  });

  it('throws the last error when the attempts are used up', async () => {
    let calls = 0;
    const error = await retry(() => Promise.reject(new Error(`no ${String(++calls)}`)), {
      attempts: 3,
      baseMs: 1,
      maxMs: 1,
      when: always,
      sleep: () => Promise.resolve(),
    }).catch((e: unknown) => e);
    expect((error as Error).message).to.equal('no 3');
  });

  it('throws at once what is not worth another attempt', async () => {
    let calls = 0;
    const retries: number[] = [];
    await retry(() => Promise.reject(new Error(`no ${String(++calls)}`)), {
      attempts: 3,
      baseMs: 1,
      maxMs: 1,
      when: () => false,
      onRetry: ({ attempt }) => retries.push(attempt),
    }).catch(() => undefined);
    expect(calls).to.equal(1);
    expect(retries).to.deep.equal([]);
  });

  it('leaves its share to chance', () => {
    expect(pauseBefore(1, { baseMs: 100, maxMs: 1000, jitter: 0.5, random: () => 0 })).to.equal(50);
    expect(pauseBefore(1, { baseMs: 100, maxMs: 1000, jitter: 0, random: () => 0 })).to.equal(100);
  });
});
