import { expect } from 'chai';
import { compare, describeDifference } from '../../src/cases/compare.js';
import { normalize } from '../../src/cases/normalize.js';
import { formatSnapshot } from '../../src/cases/store.js';

const said = (expected: unknown, actual: unknown): string[] =>
  compare({ path: 'settings', expected, actual }).map(describeDifference);

const TEXTS: { name: string; expected: unknown; actual: unknown; texts: string[] }[] = [
  {
    name: 'equal values, keys in another order',
    expected: { a: 1, b: [null] },
    actual: { b: [null], a: 1 },
    texts: [],
  },
  {
    name: 'a changed value',
    expected: { a: { b: 1 } },
    actual: { a: { b: '1' } },
    texts: ['settings.a.b: expected 1, got "1"'],
  },
  {
    name: 'null is not the same as nothing',
    expected: { a: null },
    actual: {},
    texts: ['settings.a: expected null, got nothing'],
  },
  {
    name: 'a field too many',
    expected: {},
    actual: { 'odd name': 1 },
    texts: ['settings["odd name"]: expected nothing, got 1'],
  },
  {
    name: 'an element too many, by index',
    expected: [1],
    actual: [1, 2],
    texts: ['settings[1]: expected nothing, got 2'],
  },
  {
    name: 'an element in between, by its id: one difference',
    expected: [
      { id: '1', n: 1 },
      { id: '3', n: 3 },
    ],
    actual: [
      { id: '1', n: 1 },
      { id: '2', n: 2 },
      { id: '3', n: 3 },
    ],
    texts: ['settings[id=2]: expected nothing, got {"id":"2","n":2}'],
  },
  {
    name: 'another order',
    expected: [{ id: '1' }, { id: '2' }],
    actual: [{ id: '2' }, { id: '1' }],
    texts: ['settings: order by id: expected ["1","2"], got ["2","1"]'],
  },
  {
    name: 'an id twice, so by index',
    expected: [{ id: '1' }],
    actual: [{ id: '1' }, { id: '1' }],
    texts: ['settings[1]: expected nothing, got {"id":"1"}'],
  },
  { name: 'a list where an object stood', expected: {}, actual: [], texts: ['settings: expected {}, got []'] },
  {
    name: 'a property every object has',
    expected: {},
    actual: JSON.parse('{"toString":1}'),
    texts: ['settings.toString: expected nothing, got 1'],
  },
  {
    name: 'a long value, shortened',
    expected: null,
    actual: 'x'.repeat(500),
    texts: [`settings: expected null, got "${'x'.repeat(199)}…`],
  },
];

describe('snapshot/compare', () => {
  for (const { name, expected, actual, texts } of TEXTS) {
    it(name, () => {
      expect(said(expected, actual)).to.deep.equal(texts);
    });
  }
});

describe('snapshot/normalize', () => {
  it("masks what varies at any depth, and leaves the keys' own dates alone", () => {
    const plan = {
      outcomes: { move: 3 },
      run: { id: 7 },
      expected_seconds: 2.5,
      list: [{ seconds: 1, created_at: 'then' }],
    };
    expect(normalize(plan)).to.deep.equal({
      outcomes: { move: 3 },
      run: '(varies)',
      expected_seconds: '(varies)',
      list: [{ seconds: '(varies)', created_at: 'then' }],
    });
  });
});

describe('snapshot/store', () => {
  it('writes sorted keys, two spaces, a newline at the end, and escapes what an editor hides', () => {
    expect(formatSnapshot({ b: 1, a: { d: undefined, c: 'é e\u0301 \u202e 👩\u200d💻 \u{e0041}' } })).to.equal(
      '{\n  "a": {\n    "c": "é e\\u0301 \\u202e 👩\\u200d💻 \\udb40\\udc41"\n  },\n  "b": 1\n}\n',
    );
  });
});
