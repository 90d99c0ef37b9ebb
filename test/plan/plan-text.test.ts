import { expect } from 'chai';
import type { Plan } from '../../src/plan/plan.js';
import { planText } from '../../src/console/plan-text.js';

const PLAN: Plan = {
  outcomes: { move: 3, stay: 1, merge: 0, hold: 0, exception: 0 },
  exceptions: [],
  exceptions_by_reason: {},
  widening: { accounts: 2, keys: 3, store_apis: 3, dormant_keys: 1 },
  total: 4,
  batches: 1,
  seconds_expected: 0.1,
};

describe('the plan as a person reads it', () => {
  it('is laid out for 80 columns', () => {
    expect(planText(PLAN)).to.equal(`4 per-API keys
  move       3  become account keys
  stay       1  belong to custom APIs and stay as they are
  merge      0  are answered by the account key that has their token
  hold       0  are on hold and work as before
  exception  0  wait for a person and work as before

Widening: 3 living keys of 2 accounts will open all 3 store APIs; 1 of them not
  used in 90 days.
Work: 1 batch, about 0.1 s at a usual pace (plan --rehearse measures yours).
`);
  });

  it('fits however large the numbers are, with everything asked for', () => {
    const many = 1_234_567_890;
    const text = planText(
      {
        outcomes: { move: many, stay: many, merge: many, hold: many, exception: many },
        exceptions: Array.from({ length: 30 }, (_, at) => ({
          key_id: `00000000-0000-0000-0000-${String(at).padStart(12, '0')}`,
          reason: 'conflicting_status',
        })),
        exceptions_by_reason: { missing_api: many, conflicting_status: many },
        widening: { accounts: many, keys: many, store_apis: many, dormant_keys: many },
        total: many,
        batches: many,
        seconds_expected: 123456.7,
      },
      {
        rehearsal: { rows: 20_000, moved: 19_999, seconds: 12.345, rows_per_second: 1620, seconds_expected: 123456.7 },
        notice: {
          file: '/tmp/notice.csv',
          keys: many,
          store_apis: Array.from({ length: 1_000 }, (_, at) => `api-${String(at)}`),
        },
      },
    );
    expect(text.split('\n').filter((line) => line.length > 80)).to.deep.equal([]);
    expect(text)
      .to.include('1,234,567,890 batches, about 123,456.7 s')
      .and.include('Notice: 1,234,567,890 keys')
      .and.include('  Each will open: api-0, api-1,')
      .and.include('and 980 more; --json lists')
      .and.include('and 1,234,567,870 more');
  });

  it('counts one as one', () => {
    const one = planText({
      ...PLAN,
      total: 1,
      widening: { accounts: 1, keys: 1, store_apis: 1, dormant_keys: 0 },
      batches: 2,
    });
    expect(one)
      .to.include('1 per-API key\n')
      .and.include('1 living key of 1 account will open the one store API')
      .and.include('2 batches,');
  });
});
