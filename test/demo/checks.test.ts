import { expect } from 'chai';
import { checkAnswers, type Answers, type Cast } from '../../src/demo/checks.js';
import type { Access, ListedKey } from '../../src/demo/reading.js';

const CAST: Cast = { storeKeys: ['1', '2'], deadKey: '3', customKey: '4', customApi: 'custom' };
const STORE = ['invoices', 'receipts'];

const listed = (id: string, more: Partial<ListedKey> = {}): ListedKey => ({
  id,
  name: `key ${id}`,
  created_at: `2020-01-0${id} 00:00:00.000001`,
  last_used_at: '2021-01-01 00:00:00.000000',
  revoked: null,
  ...more,
});

/** What keys 1 to 4 open at every API: what `open` names. */
function access(apis: string[], open: Record<string, string[]>, source = 'account'): Access[] {
  return ['1', '2', '3', '4'].flatMap((id) =>
    [...apis, 'custom'].map((api): Access => ({
      key_id: id,
      key: `key ${id}`,
      api,
      api_name: api,
      in_store: api !== 'custom',
      answered_by: open[id]?.includes(api) === true ? { account_id: '9', source } : null,
    })),
  );
}

function goodAnswers(): Answers {
  const before = access(STORE, { 1: ['invoices'], 2: ['receipts'], 4: ['custom'] }, 'per_api');
  const outcomes = { move: 3, stay: 1, merge: 0, hold: 0, exception: 0 };
  return {
    before: { pages: { invoices: [listed('1')], receipts: [listed('2')] }, access: before },
    plan: { outcomes, total: 4 } as unknown as Answers['plan'],
    rows: 4,
    after: {
      settings: [listed('1'), listed('2'), listed('3')],
      access: withSource(access(STORE, { 1: STORE, 2: STORE, 4: ['custom'] })),
    },
    proof: { ok: true } as Answers['proof'],
    grown: {
      api: 'checks',
      access: access([...STORE, 'checks'], { 1: [...STORE, 'checks'], 2: [...STORE, 'checks'], 4: ['custom'] }),
    },
    rolledBack: {
      pages: { invoices: [listed('1')], receipts: [listed('2', { last_used_at: '2022-01-01 00:00:00.000000' })] },
      access: access([...STORE, 'checks'], { 1: ['invoices'], 2: ['receipts'], 4: ['custom'] }, 'per_api'),
    },
  };
}

/** A custom API is answered by the per-API key always. */
const withSource = (all: Access[]): Access[] =>
  all.map((pair) =>
    pair.in_store || pair.answered_by === null
      ? pair
      : { ...pair, answered_by: { ...pair.answered_by, source: 'per_api' } },
  );

const setAccess = (all: Access[], { id, api, open }: { id: string; api: string; open: boolean }): void => {
  all.find((pair) => pair.key_id === id && pair.api === api)!.answered_by = open
    ? { account_id: '9', source: 'account' }
    : null;
};

const FAULTS: Record<string, (answers: Answers) => void> = {
  'every per-API key has exactly one outcome': (a) => {
    a.rows = 5;
  },
  'both keys are in Settings, with their name and creation time': (a) => {
    a.after.settings[0]!.created_at = '2020-01-01 00:00:00.000002';
  },
  'each of them opens every API of the store': (a) => {
    setAccess(a.after.access, { id: '1', api: 'receipts', open: false });
  },
  'every API that a key opened before is still open to it': (a) => {
    setAccess(a.after.access, { id: '4', api: 'custom', open: false });
  },
  "no custom API was opened, the account's own included": (a) => {
    setAccess(a.after.access, { id: '1', api: 'custom', open: true });
  },
  "the custom API's key opens that API and nothing else": (a) => {
    setAccess(a.after.access, { id: '4', api: 'invoices', open: true });
  },
  'the revoked key opens nothing': (a) => {
    setAccess(a.after.access, { id: '3', api: 'invoices', open: true });
  },
  'the proof found no difference': (a) => {
    a.proof.ok = false;
  },
  'an API that joined later was open to both keys at once': (a) => {
    setAccess(a.grown.access, { id: '2', api: 'checks', open: false });
  },
  'after the rollback every key opens what it opened before': (a) => {
    setAccess(a.rolledBack.access, { id: '1', api: 'receipts', open: true });
  },
  'after the rollback the old pages are back, with last use kept': (a) => {
    a.rolledBack.pages.receipts![0]!.last_used_at = '2021-01-01 00:00:00.000000';
  },
};

describe('demo/checks', () => {
  const failed = (answers: Answers): string[] =>
    checkAnswers(answers, CAST)
      .filter(({ ok }) => !ok)
      .map(({ check }) => check);

  it('passes good answers, and knows every check that is listed here', () => {
    expect(failed(goodAnswers())).to.deep.equal([]);
    expect(checkAnswers(goodAnswers(), CAST).map(({ check }) => check)).to.have.members(Object.keys(FAULTS));
  });

  for (const [check, spoil] of Object.entries(FAULTS)) {
    it(`fails: ${check}`, () => {
      const answers = goodAnswers();
      spoil(answers);
      expect(failed(answers)).to.include(check);
    });
  }

  it('takes an API that another account answers for as closed', () => {
    const answers = goodAnswers();
    answers.after.access.find((pair) => pair.key_id === '1' && pair.api === 'invoices')!.answered_by!.account_id = '8';
    expect(failed(answers)).to.deep.equal(['every API that a key opened before is still open to it']);
  });
});
