import path from 'node:path';
import { expect } from 'chai';
import { KeyliftError } from '../../src/errors/keylift-error.js';
import { readCases } from '../../src/cases/cases.js';
import { readFixture } from '../../src/cases/fixture.js';
import { legacyWith, SHIPPED, useDirectories } from './case-directory.js';

const { accounts, apis, keys } = legacyWith() as { accounts: object[]; apis: object[]; keys: object[] };

/** What `legacy.json` holds, and every line that must be said about it. */
const FAULTS: { name: string; legacy: unknown; faults: string[] }[] = [
  {
    name: 'a date without a time',
    legacy: legacyWith({ created_at: '2020-01-01' }),
    faults: [notATimestamp('created_at')],
  },
  {
    name: 'a timestamp without a zone',
    legacy: legacyWith({ created_at: '2020-01-01T00:00:00' }),
    faults: [notATimestamp('created_at')],
  },
  {
    name: 'nanoseconds',
    legacy: legacyWith({ expires_at: '2020-01-01T00:00:00.1234567Z' }),
    faults: [notATimestamp('expires_at')],
  },
  {
    name: 'a day the calendar has not',
    legacy: legacyWith({ revoked_at: '2023-02-29T00:00:00Z' }),
    faults: [notATimestamp('revoked_at')],
  },
  {
    name: 'a word PostgreSQL would take for today',
    legacy: legacyWith({ last_used_at: 'now' }),
    faults: [notATimestamp('last_used_at')],
  },
  {
    name: 'a timestamp as a number',
    legacy: legacyWith({ created_at: 1577836800000 }),
    faults: [notATimestamp('created_at')],
  },
  {
    name: 'an id beyond 2^53 as a number',
    legacy: '{"accounts":[],"apis":[],"keys":[{"id":9007199254740993}]}',
    faults: ['keys[0].id: a number beyond 2^53 loses digits in JSON: write it as a string'],
  },
  {
    name: 'an id beyond bigint',
    legacy: legacyWith({ id: '9223372036854775808' }),
    faults: ['keys[0].id: not a bigint'],
  },
  {
    name: 'an id in another spelling',
    legacy: legacyWith({ account_id: '007' }),
    faults: ['keys[0].account_id: not a bigint'],
  },
  { name: 'a fraction', legacy: legacyWith({ api_id: 1.5 }), faults: ['keys[0].api_id: not a bigint'] },
  { name: 'no id', legacy: { accounts, apis, keys: [{ name: 'x' }] }, faults: ['keys[0].id: missing'] },
  {
    name: 'a NUL character',
    legacy: legacyWith({ name: 'a\u0000b' }),
    faults: ['keys[0].name: not a text PostgreSQL can store (no U+0000, no half of a surrogate pair)'],
  },
  {
    name: 'half a surrogate pair',
    legacy: legacyWith({ token: '\ud83d' }),
    faults: ['keys[0].token: not a text PostgreSQL can store (no U+0000, no half of a surrogate pair)'],
  },
  {
    name: 'a name that is a number',
    legacy: legacyWith({ name: 5 }),
    faults: ['keys[0].name: not a text PostgreSQL can store (no U+0000, no half of a surrogate pair)'],
  },
  {
    name: 'an unknown field',
    legacy: legacyWith({ expired_at: null }),
    faults: [
      'keys[0].expired_at: unknown field (known are id, ' +
        'account_id, api_id, name, token, created_at, last_used_at, revoked_at, expires_at, about)',
    ],
  },
  {
    name: 'an unknown table',
    legacy: { ...legacyWith(), tokens: [] },
    faults: ['tokens: unknown field (known are $schema, about, accounts, apis, keys)'],
  },
  {
    name: 'an unknown kind',
    legacy: { accounts: [{ id: 1, kind: 'team', name: 'x' }], apis, keys },
    faults: ['accounts[0].kind: not one of "user", "organization"'],
  },
  { name: 'a missing table', legacy: { accounts, keys }, faults: ['apis: missing'] },
  { name: 'not an object', legacy: '[]', faults: ['not object'] },
  {
    name: 'an id twice, as number and string',
    legacy: { accounts, apis, keys: [{ id: 1 }, { id: '1' }] },
    faults: ['keys[1].id: the same as keys[0].id'],
  },
  {
    name: 'a slug twice',
    legacy: { accounts, apis: [...apis, { id: 2, slug: 'invoices', kind: 'custom' }], keys },
    faults: ['apis[1].slug: the same as apis[0].slug'],
  },
  {
    name: 'a JSON key twice',
    legacy: '{"accounts":[],"apis":[],\n"keys":[{"id":1,"name":"a","name":"b"}]}',
    faults: ['keys[0].name: given twice (again on line 2)'],
  },
  {
    name: 'a trailing comma',
    legacy: '{"accounts":[],\n"apis":[],}',
    faults: ['line 2, column 11: expected a key in double quotes, found "}"'],
  },
  { name: 'an empty file', legacy: '', faults: ['line 1, column 1: the file is empty'] },
  { name: 'two documents', legacy: '{} {}', faults: ['line 1, column 4: there is text after the end of the document'] },
  { name: 'bytes that are not UTF-8', legacy: new Uint8Array([0x7b, 0x22, 0xff, 0x22]), faults: ['not valid UTF-8'] },
  {
    name: 'nesting that would end the stack',
    legacy: '['.repeat(100_000),
    faults: ['line 1, column 34: nested deeper than 32 levels'],
  },
  {
    name: 'several faults, all told at once',
    legacy: {
      accounts: [{ id: 1, kind: 'user' }],
      apis: [],
      keys: [{ id: 1 }, { id: 1, created_at: 'soon', color: 'red' }],
    },
    faults: [
      'accounts[0].name: missing',
      'keys[1].color: unknown field (known are id, account_id, ' +
        'api_id, name, token, created_at, last_used_at, revoked_at, expires_at, about)',
      notATimestamp('created_at', 1),
      'keys[1].id: the same as keys[0].id',
    ],
  },
];

function notATimestamp(field: string, row = 0): string {
  return `keys[${String(row)}].${field}: not a timestamp (like 2024-03-31T02:30:00.123456+01:00, with a zone)`;
}

async function usageError(promise: Promise<unknown>): Promise<KeyliftError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(KeyliftError).and.include({ exitCode: 2 });
  return error as KeyliftError;
}

describe('snapshot/fixture', () => {
  const write = useDirectories();

  for (const { name, legacy, faults } of FAULTS) {
    it(`refuses ${name}`, async () => {
      const error = await usageError(readFixture(await write({ 'legacy.json': legacy })));
      expect(error.code).to.equal('fixture_invalid');
      expect(error.exitCode).to.equal(2);
      expect(error.facts['faults']).to.deep.equal(faults.map((fault) => `legacy.json: ${fault}`));
      for (const fault of faults) expect(error.message).to.include(fault);
    });
  }

  it('refuses a directory that is not there, one without legacy.json, and a misspelt holds file', async () => {
    expect((await usageError(readFixture('/nowhere/at/all'))).code).to.equal('fixture_unreadable');
    const empty = await usageError(readFixture(await write({ 'README.md': 'x' })));
    expect(empty.facts['faults']).to.deep.equal(['legacy.json: does not exist']);
    const misspelt = await usageError(
      readFixture(await write({ 'legacy.json': legacyWith(), 'hold.csv': 'key_id\n1\n' })),
    );
    expect(misspelt.facts['faults']).to.deep.equal([
      'hold.csv: not part of a case (legacy.json, holds.csv, snapshots/, schema.sql, keylift.config.json, README.md)',
    ]);
  });

  it('reads over a byte order mark, and finds the holds file', async () => {
    const directory = await write({
      'legacy.json': `\ufeff${JSON.stringify(legacyWith())}`,
      'holds.csv': 'key_id\n1\n',
    });
    const fixture = await readFixture(directory);
    expect(fixture.rows.keys).to.have.length(1);
    expect(fixture.holdsFile).to.equal(path.join(directory, 'holds.csv'));
    expect(fixture.name).to.equal(path.basename(directory));
  });

  it('takes odd object keys for data, not for properties', async () => {
    const error = await usageError(
      readFixture(await write({ 'legacy.json': '{"accounts":[],"apis":[],"keys":[],"__proto__":{"a":1}}' })),
    );
    expect(error.message).to.include('__proto__: unknown field');
  });
});

describe('snapshot/cases', () => {
  const write = useDirectories();

  it('reads one case, or a directory of cases by name', async () => {
    const directory = await write({ 'b/legacy.json': legacyWith(), 'a/legacy.json': legacyWith(), 'README.md': 'x' });
    expect((await readCases(directory)).map(({ name }) => name)).to.deep.equal(['a', 'b']);
    expect((await readCases(path.join(directory, 'b'))).map(({ name }) => name)).to.deep.equal(['b']);
  });

  it('tells the faults of all cases, with the case in the file name', async () => {
    const directory = await write({
      'a/legacy.json': '{',
      'b/legacy.json': legacyWith({ id: 'x' }),
      'c/notes.txt': 'x',
    });
    const error = await usageError(readCases(directory));
    expect(error.facts['faults']).to.deep.equal([
      'a/legacy.json: line 1, column 2: expected a key in double quotes, but the file ends',
      'b/legacy.json: keys[0].id: not a bigint',
      'c/notes.txt: not part of a case (legacy.json, holds.csv, ' +
        'snapshots/, schema.sql, keylift.config.json, README.md)',
      'c/legacy.json: does not exist',
    ]);
  });

  it('refuses a directory without a case', async () => {
    expect((await usageError(readCases(await write({ 'README.md': 'x' })))).code).to.equal('no_fixtures');
    expect((await usageError(readCases('/nowhere/at/all'))).code).to.equal('fixture_unreadable');
  });

  it('finds every shipped case valid', async () => {
    expect((await readCases(SHIPPED)).map(({ name }) => name)).to.include.members([
      'story',
      'ids',
      'dates',
      'odd-names',
    ]);
  });
});
