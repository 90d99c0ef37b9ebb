import { expect } from 'chai';
import { secondsLeft } from '../../src/status/time-left.js';

const STEADY = {
  longer: { batches: 60, rows: 600_000, seconds: 30 },
  latest: { batches: 20, rows: 200_000, seconds: 10 },
};

describe('time left', () => {
  it('is what the rows left take at the measured pace', () => {
    expect(secondsLeft(1_000_000, STEADY)).to.equal(50);
    expect(secondsLeft(1, STEADY)).to.equal(1);
    expect(secondsLeft(-5, STEADY)).to.equal(0);
  });

  for (const [why, change] of [
    ['few batches ended yet', { longer: { ...STEADY.longer, batches: 7 } }],
    ['the run is a few seconds old', { longer: { batches: 60, rows: 600_000, seconds: 4.9 } }],
    ['nothing ended lately', { latest: { batches: 0, rows: 0, seconds: 1 } }],
    ['nothing was moved at all', { longer: { batches: 60, rows: 0, seconds: 30 } }],
    ['the run has sped up', { latest: { ...STEADY.latest, rows: 260_000 } }],
    ['the run has slowed down', { latest: { ...STEADY.latest, rows: 140_000 } }],
  ] as const) {
    it(`is withheld while ${why}`, () => {
      expect(secondsLeft(1_000_000, { ...STEADY, ...change })).to.equal(null);
    });
  }
});
