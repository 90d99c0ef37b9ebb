import { expect } from 'chai';
import fc from 'fast-check';
import { isSameTable, parseTableName, quoteIdentifier, quoteTable } from '../../src/config/identifiers.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';

describe('parseTableName', () => {
  for (const [text, schema, name] of [
    ['api_keys', null, 'api_keys'],
    ['public.api_keys', 'public', 'api_keys'],
    ['Public.Api_Keys', 'public', 'api_keys'],
    ['public."ApiKey"', 'public', 'ApiKey'],
    ['"My Schema"."a.b"', 'My Schema', 'a.b'],
    ['"say ""hi"""', null, 'say "hi"'],
    ['public.user', 'public', 'user'],
    ['clés.ÉTÉ', 'clés', 'ÉtÉ'],
    ['t$1', null, 't$1'],
    ['"x; drop table y"', null, 'x; drop table y'],
  ] as const) {
    it(`reads ${text}`, () => {
      expect(parseTableName(text)).to.deep.equal({ schema, name });
    });
  }

  for (const text of [
    '',
    ' ',
    'a b',
    'a.b.c',
    '.a',
    'a.',
    '1a',
    'a;',
    'a--',
    'a; drop table b',
    '""',
    '"a',
    'a"',
    '"a"b',
    '"a"".b',
    'a.*',
    "a'b",
    '"a\0b"',
    'a\n',
    ' a',
    '$a',
    'a(b)',
    'x'.repeat(64),
    `"${'é'.repeat(32)}"`,
    '"\ud800"',
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      expect(() => parseTableName(text))
        .to.throw(KeyliftError)
        .with.property('code', 'table_name_invalid');
    });
  }

  it('reads back whatever it quotes', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 15, unit: 'grapheme' })
      .filter((text) => !text.includes('\0') && Buffer.byteLength(text) < 64);
    fc.assert(
      fc.property(name, name, (schema, table) => {
        const parts = { schema, name: table };
        expect(parseTableName(quoteTable(parts))).to.deep.equal(parts);
      }),
    );
  });
});

describe('quoteTable', () => {
  it('puts a table without a schema into public', () => {
    expect(quoteTable(parseTableName('Api_keys'))).to.equal('"public"."api_keys"');
    expect(isSameTable(parseTableName('API_KEYS'), parseTableName('public."api_keys"'))).to.be.true;
  });
});

describe('quoteIdentifier', () => {
  it('doubles quotes and refuses what no name can be', () => {
    expect(quoteIdentifier('a"b')).to.equal('"a""b"');
    for (const bad of ['', 'a\0', 'x'.repeat(64)]) expect(() => quoteIdentifier(bad)).to.throw(RangeError);
  });
});
