import { expect } from 'chai';
import { isBigint, isPostgresText, isTimestamptz } from '../../src/cases/formats.js';
import { useTestDatabase } from '../support/database.js';

const MOMENTS = [
  '2024-02-29T23:59:59.999999Z',
  '2024-02-29 23:59:59+00',
  '2000-02-29T00:00:00Z',
  '0001-01-01T00:00:00Z',
  '0044-03-15T12:00:00Z BC',
  '0001-02-29T00:00:00Z BC',
  '4713-01-01T00:00:00Z BC',
  '12024-01-01T00:00:00Z',
  '294276-12-31T23:59:59.999999Z',
  '2024-01-01T00:00:00+14:00',
  '2024-01-01T00:00:00-15:59:59',
  '1890-01-01T00:00:00+00:09:21',
  'infinity',
  '-infinity',
];
const NO_MOMENTS = [
  '',
  'now',
  'today',
  'epoch',
  '2024-01-01',
  '2024-01-01T00:00:00',
  '2024-01-01T00:00Z',
  '24-01-01T00:00:00Z',
  '2024-1-1T00:00:00Z',
  '0000-01-01T00:00:00Z',
  '1900-02-29T00:00:00Z',
  '2024-02-30T00:00:00Z',
  '2024-13-01T00:00:00Z',
  '2024-00-10T00:00:00Z',
  '2024-01-00T00:00:00Z',
  '2024-01-01T24:00:00Z',
  '2024-01-01T00:60:00Z',
  '2024-01-01T00:00:60Z',
  '2024-01-01T00:00:00.Z',
  '2024-01-01T00:00:00.1234567Z',
  '2024-01-01T00:00:00+16',
  '2024-01-01T00:00:00 UTC',
  '4714-11-24T00:00:00Z BC',
  '294277-01-01T00:00:00Z',
  ' 2024-01-01T00:00:00Z',
  '2024-01-01T00:00:00Z\n',
];

describe('snapshot/formats', () => {
  const database = useTestDatabase({ schema: 'none' });

  for (const text of MOMENTS) {
    it(`takes ${text}, and so does PostgreSQL`, async () => {
      expect(isTimestamptz(text)).to.equal(true);
      expect(await database().query('SELECT $1::text::timestamptz IS NOT NULL AS taken', [text])).to.deep.equal([
        { taken: true },
      ]);
    });
  }
  for (const text of NO_MOMENTS) {
    it(`refuses ${JSON.stringify(text)} as a timestamp`, () => {
      expect(isTimestamptz(text)).to.equal(false);
    });
  }

  it('knows the bounds and the spelling of a bigint', () => {
    for (const text of ['0', '-1', '9223372036854775807', '-9223372036854775808'])
      expect(isBigint(text), text).to.equal(true);
    for (const text of ['', '-0', '+1', '01', '1.0', '1e3', '9223372036854775808', '-9223372036854775809', ' 1']) {
      expect(isBigint(text), text).to.equal(false);
    }
  });

  it('takes any text but U+0000 and half a surrogate pair', () => {
    for (const text of ['', '👩‍👩‍👧‍👦', 'e\u0301', '\u202e', '\uffff', '\u0001']) expect(isPostgresText(text)).to.equal(true);
    for (const text of ['\u0000', 'a\ud83d', '\udd11\ud83d']) expect(isPostgresText(text)).to.equal(false);
  });
});
