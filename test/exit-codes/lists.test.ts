import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { useDirectories } from '../cases/case-directory.js';
import { useFixtureDatabase } from './fixture-database.js';
import { refused } from './unchanged.js';

const BYTES = (...parts: (string | number[])[]): Uint8Array =>
  Buffer.concat(parts.map((part) => Buffer.from(part as string)));

/** Files that cannot be taken, by what is wrong; COLUMN is the list's own column. */
const FAULTS: readonly [string, string | Uint8Array, string][] = [
  ['an unknown id', 'COLUMN\n11\n999\n', 'line 3: no'],
  ['an id that is none', "COLUMN\n11'; drop table x\n", 'line 2: no'],
  ['an id out of range', 'COLUMN\n99999999999999999999\n', 'line 2: no'],
  ['no such column', 'id\n11\n', 'the header has none of the columns'],
  ['no header', '11\n12\n', 'the header has none of the columns'],
  ['the column twice', 'COLUMN,COLUMN\n11,12\n', 'is given twice'],
  ['a row of too many fields', 'COLUMN\n1,2\n', 'line 2: 2 fields'],
  ['a row without an id', 'COLUMN,why\n,because\n', 'line 2: no COLUMN'],
  ['an open quote', 'COLUMN\n"11\n', 'line'],
  ['nothing in it', '', 'the header has none of the columns'],
  ['a NUL byte', BYTES('COLUMN\n1', [0], '\n'), 'NUL'],
  ['invalid UTF-8', BYTES('COLUMN\n1', [0xff, 0xfe], '\n'), 'UTF-8'],
];

const withColumn = (content: string | Uint8Array, column: string): Uint8Array =>
  Buffer.from(
    Buffer.from(content as string)
      .toString('latin1')
      .replaceAll('COLUMN', column),
    'latin1',
  );

describe('lists at the front door', () => {
  const { database, load } = useFixtureDatabase();
  const directory = useDirectories();
  beforeEach(() => load('story'));
  const env = () => ({ DATABASE_URL: database().url });
  const listed = async (content: string | Uint8Array) =>
    path.join(await directory({ 'list.csv': content }), 'list.csv');

  const USERS = [
    {
      lines: (file: string) => [`plan --holds ${file}`, `migrate --holds ${file} --yes`],
      column: 'key_id',
      migrated: false,
    },
    { lines: (file: string) => [`migrate --holds ${file} --yes`], column: 'account_id', migrated: true },
    {
      lines: (file: string) => [
        `switch --accounts ${file} --yes`,
        `switch --accounts ${file} --back --yes`,
        `rollback --accounts ${file} --yes`,
      ],
      column: 'account_id',
      migrated: true,
    },
  ];

  for (const { lines, column, migrated } of USERS) {
    describe(`${lines('FILE')
      .map((line) => line.replace(' --yes', ''))
      .join(', ')} (${column}, ${migrated ? 'under way' : 'nothing migrated'})`, () => {
      beforeEach(async () => {
        if (migrated) expect((await keylift('migrate --yes', { env: env() })).exitCode).to.equal(0);
      });

      for (const [what, content, message] of FAULTS) {
        it(what, async () => {
          const file = await listed(withColumn(content, column));
          for (const line of lines(file)) {
            const { exitCode, stderr } = await refused(database(), line);
            expect([line, exitCode], stderr).to.deep.equal([line, 2]);
            expect(stderr)
              .to.include(message.replace('COLUMN', column))
              .and.include(file)
              .and.include('runbook.md#lists');
          }
        });
      }

      it('a file that is not there, a folder, a link that leads nowhere', async () => {
        const folder = await directory({ 'other.csv': `${column}\n` });
        await symlink('nowhere.csv', path.join(folder, 'link.csv'));
        for (const file of [path.join(folder, 'missing.csv'), folder, path.join(folder, 'link.csv')]) {
          for (const line of lines(file)) {
            const { exitCode, stderr } = await refused(database(), line);
            expect([line, exitCode], stderr).to.deep.equal([line, 2]);
            expect(stderr).to.include(file).and.include('runbook.md#lists');
          }
        }
      });

      it('all faults at once, and no more than twenty written out', async () => {
        const file = await listed([column, ...Array.from({ length: 30 }, (_, n) => String(900 + n)), ''].join('\n'));
        const { stderr } = await refused(database(), lines(file)[0]!);
        expect(stderr)
          .to.include('30 faults')
          .and.include('line 2: no')
          .and.include('line 21: no')
          .and.include('and 10 more')
          .and.not.include('line 22:');
      });
    });
  }

  for (const [what, content] of [
    ['a byte order mark', BYTES([0xef, 0xbb, 0xbf], 'key_id\n11\n')],
    ['CRLF', 'key_id\r\n11\r\n'],
    ['both', BYTES([0xef, 0xbb, 0xbf], 'key_id,why\r\n11,"a, ""quoted"" word"\r\n\r\n')],
    ['no newline at the end', 'key_id\n11'],
    ['spaces around', ' key_id , why\n 11 ,\n'],
    ['a key named twice', 'key_id\n11\n11\n'],
  ] as const) {
    it(`takes ${what}`, async () => {
      const { exitCode, stdout, stderr } = await keylift(`plan --json --holds ${await listed(content)}`, {
        env: env(),
      });
      expect(exitCode, stderr).to.equal(0);
      expect((JSON.parse(stdout) as { outcomes: object }).outcomes).to.include({ hold: 1, move: 2 });
    });
  }

  it('a header alone lifts the holds of an earlier migrate', async () => {
    const holds = async (content: string) =>
      keylift(`migrate --yes --json --holds ${await listed(content)}`, { env: env() });
    expect(JSON.parse((await holds('key_id\n11\n')).stdout)).to.include({ moved: 2 });
    expect(JSON.parse((await keylift('migrate --yes --json', { env: env() })).stdout)).to.include({ moved: 2 });
    expect(JSON.parse((await holds('key_id\n')).stdout)).to.include({ moved: 3 });
  });

  it('a list of one account rolls back no other', async () => {
    expect((await keylift('migrate --yes', { env: env() })).exitCode).to.equal(0);
    await keylift(`rollback --accounts ${await listed('account_id\n2\n')} --yes`, { env: env() });
    const answer = await database().query(`select source from keylift.authorize('acme-invoice-4f1d9a', 3)`);
    expect(answer, 'account 1 still opens the store').to.deep.equal([{ source: 'account' }]);
  });
});
