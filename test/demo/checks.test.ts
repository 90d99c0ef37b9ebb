import { expect } from 'chai';
import { judge, type Answers, type Cast } from '../../src/demo/checks.js';
import type { Door, ListedKey } from '../../src/demo/questions.js';

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

/** Doors of keys 1 to 4 at every API; `open` names those that open. */
function doors(apis: string[], open: Record<string, string[]>, source = 'account'): Door[] {
  return ['1', '2', '3', '4'].flatMap((id) =>
    [...apis, 'custom'].map((api): Door => ({
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
  const before = doors(STORE, { 1: ['invoices'], 2: ['receipts'], 4: ['custom'] }, 'per_api');
  const outcomes = { move: 3, stay: 1, merge: 0, hold: 0, exception: 0 };
  return {
    before: { pages: { invoices: [listed('1')], receipts: [listed('2')] }, doors: before },
    plan: { outcomes, total: 4 } as unknown as Answers['plan'],
    rows: 4,
    after: {
      settings: [listed('1'), listed('2'), listed('3')],
      doors: withSource(doors(STORE, { 1: STORE, 2: STORE, 4: ['custom'] })),
    },
    proof: { ok: true } as Answers['proof'],
    grown: {
      api: 'checks',
      doors: doors([...STORE, 'checks'], { 1: [...STORE, 'checks'], 2: [...STORE, 'checks'], 4: ['custom'] }),
    },
    rolledBack: {
      pages: { invoices: [listed('1')], receipts: [listed('2', { last_used_at: '2022-01-01 00:00:00.000000' })] },
      doors: doors([...STORE, 'checks'], { 1: ['invoices'], 2: ['receipts'], 4: ['custom'] }, 'per_api'),
    },
  };
}

/** A custom API is answered by the per-API key always. */
const withSource = (all: Door[]): Door[] =>
  all.map((door) =>
    door.in_store || door.answered_by === null
      ? door
      : { ...door, answered_by: { ...door.answered_by, source: 'per_api' } },
  );

const setDoor = (all: Door[], { id, api, open }: { id: string; api: string; open: boolean }): void => {
  all.find((door) => door.key_id === id && door.api === api)!.answered_by = open
    ? { account_id: '9', source: 'account' }
    : null;
};

const FAULTS: Record<string, (answers: Answers) => void> = {
  'every per-API key has exactly one outcome': (a) => {
    a.rows = 5;
  },
  'both keys stand under Settings, name and creation time as they were': (a) => {
    a.after.settings[0]!.created_at = '2020-01-01 00:00:00.000002';
  },
  'each of them opens every API of the store': (a) => {
    setDoor(a.after.doors, { id: '1', api: 'receipts', open: false });
  },
  'no door that was open is shut': (a) => {
    setDoor(a.after.doors, { id: '4', api: 'custom', open: false });
  },
  "no custom API was opened, the account's own included": (a) => {
    setDoor(a.after.doors, { id: '1', api: 'custom', open: true });
  },
  "the custom API's key opens that API and nothing else": (a) => {
    setDoor(a.after.doors, { id: '4', api: 'invoices', open: true });
  },
  'the revoked key opens nothing': (a) => {
    setDoor(a.after.doors, { id: '3', api: 'invoices', open: true });
  },
  'the proof found no difference': (a) => {
    a.proof.ok = false;
  },
  'an API that joined later was open to both keys at once': (a) => {
    setDoor(a.grown.doors, { id: '2', api: 'checks', open: false });
  },
  'after the rollback every door is as it was before': (a) => {
    setDoor(a.rolledBack.doors, { id: '1', api: 'receipts', open: true });
  },
  'after the rollback the old pages are back, with last use kept': (a) => {
    a.rolledBack.pages.receipts![0]!.last_used_at = '2021-01-01 00:00:00.000000';
  },
};

describe('demo/checks', () => {
  const failed = (answers: Answers): string[] =>
    judge(answers, CAST)
      .filter(({ ok }) => !ok)
      .map(({ check }) => check);

  it('passes a good story, and knows every check that is listed here', () => {
    expect(failed(goodAnswers())).to.deep.equal([]);
    expect(judge(goodAnswers(), CAST).map(({ check }) => check)).to.have.members(Object.keys(FAULTS));
  });

  for (const [check, spoil] of Object.entries(FAULTS)) {
    it(`fails: ${check}`, () => {
      const answers = goodAnswers();
      spoil(answers);
      expect(failed(answers)).to.include(check);
    });
  }

  it('a door answered by another account counts as shut', () => {
    const answers = goodAnswers();
    answers.after.doors.find((door) => door.key_id === '1' && door.api === 'invoices')!.answered_by!.account_id = '8';
    expect(failed(answers)).to.deep.equal(['no door that was open is shut']);
  });
});
