import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

interface Plan {
  seconds_expected: number;
  batches: number;
  rehearsal?: { seconds_expected: number };
}

describe('the expected time of a plan', () => {
  let scenario: Scenario;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 60_000 });
  });
  after(() => scenario.close());

  const planned = async (flags: string, command = 'plan'): Promise<Plan> =>
    (await scenario.must(`${command} --json ${flags}`)).json<Plan>();

  it('is shorter with more batches at once, and longer with one', async () => {
    const [one, two, eight] = await Promise.all(
      ['--concurrency 1', '', '--concurrency 8'].map(async (flags) => (await planned(flags)).seconds_expected),
    );
    expect(two).to.equal(1);
    expect(one).to.be.greaterThan(two!);
    expect(eight).to.be.lessThan(two!);
  });

  it('is longer with shorter or smaller batches', async () => {
    const usual = await planned('');
    expect((await planned('--batch-time 1ms')).seconds_expected).to.be.greaterThan(usual.seconds_expected);
    const small = await planned('--batch-size 100');
    expect(small.seconds_expected).to.be.greaterThan(usual.seconds_expected);
    expect([usual.batches, small.batches]).to.deep.equal([1, 600]);
  });

  it('is the same for migrate --dry-run', async () => {
    const flags = '--concurrency 4 --batch-size 1000';
    expect(await planned(flags, 'migrate --dry-run')).to.deep.equal(await planned(flags));
  });

  it('is the measured one with --rehearse, scaled to the batches at once', async () => {
    const { seconds_expected: seconds, rehearsal } = await planned('--rehearse --concurrency 4');
    expect(seconds).to.be.closeTo(rehearsal!.seconds_expected * 0.75 ** 2, 0.06);
  });
});
