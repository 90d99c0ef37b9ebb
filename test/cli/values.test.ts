import { expect } from 'chai';
import { ValueFault, cohort, duration, wholeNumber, type ReadValue } from '../../src/commands/values.js';

const world = { cwd: '/' };

function table<T>(name: string, read: ReadValue<T>, { good, bad }: { good: [string, unknown][]; bad: string[] }): void {
  describe(name, () => {
    for (const [text, value] of good) {
      it(`reads ${text}`, () => {
        expect(read(text, world)).to.deep.equal(value);
      });
    }
    for (const text of bad) {
      it(`refuses ${JSON.stringify(text)}`, () => {
        expect(() => read(text, world)).to.throw(ValueFault);
      });
    }
  });
}

table('cohort', (text, where) => cohort(text, where).perMillion, {
  good: [
    ['5%', 50_000],
    ['100%', 1_000_000],
    ['0.0001%', 1],
    ['12.5%', 125_000],
    ['033.33%', 333_300],
  ],
  bad: ['5', '0%', '0.0%', '100.0001%', '101%', '-5%', '0.00001%', '%', '5 %', '5%%', '1e1%', '.5%', '٥%', 'five%'],
});
table('duration', duration, {
  good: [
    ['0.5', 500],
    ['2', 2000],
    ['500ms', 500],
    ['0.5s', 500],
    ['2m', 120_000],
    ['86400', 86_400_000],
  ],
  bad: ['0', '0ms', '-1', '1h', 's', '1e3', '86401', 'Infinity', 'NaN', '', '0x10', '1,5'],
});
table('whole number from 1 to 64', wholeNumber({ from: 1, to: 64 }), {
  good: [
    ['1', 1],
    ['64', 64],
    ['007', 7],
  ],
  bad: ['0', '65', '-1', '1.0', '1e1', '', ' 1', '0x1', 'x', '99999999999999999999'],
});

describe('cohort', () => {
  it('says that the percent sign is missing', () => {
    expect(() => cohort('5', world)).to.throw(/the percent sign is missing/);
  });
});
