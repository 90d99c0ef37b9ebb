import type { Content, Row } from './row.js';
import { BOM, bytes, crlf, INJECTION, utf16 } from './row.js';

const ids = (from: number, count: number): string =>
  Array.from({ length: count }, (_, n) => String(from + n)).join('\n');

/** Lists of keys and accounts: what is wrong, the file with its column as ID, and what is said of it. */
const FAULTS: readonly [what: string, content: Content, says: string][] = [
  ['an id that is not there', 'ID\n999\n', 'line 2: no KIND "999"'],
  ['an id that is none', 'ID\neleven\n', 'line 2: no KIND has this id'],
  ['an id out of range', `ID\n${'9'.repeat(30)}\n`, 'line 2: no KIND "999999999999999999999999999999"'],
  ['SQL for an id', `ID\n"11'; ${INJECTION.replaceAll('"', '""')}"\n`, 'line 2: no KIND has this id'],
  ['a token for an id', 'ID\nacme-invoice-4f1d9a\n', 'line 2: no KIND has this id'],
  ['no such column', 'id\n11\n', 'line 1: the header has none of the columns'],
  ['a column in capitals', 'ID_\n11\n', 'line 1: the header has none of the columns'],
  ['the column twice', 'ID,ID\n11,12\n', 'line 1: column ID is given twice'],
  ['a field too many', 'ID\n1,2\n', 'line 2: 2 fields, the header has 1'],
  ['a field too few', 'ID,why\n1\n', 'line 2: 1 fields, the header has 2'],
  ['a row without an id', 'ID,why\n,because\n', 'line 2: no ID'],
  ['a quote left open', 'ID\n"11\n', 'line 2: a quote is opened and not closed'],
  ['semicolons', 'ID;why\n11;because\n', 'line 1: the header has none of the columns'],
  ['nothing in it', '', 'line 1: the header has none of the columns'],
  ['a byte order mark and nothing else', BOM, 'line 1: the header has none of the columns'],
  ['a NUL byte', 'ID\n1\0', 'holds a NUL byte'],
  ['bytes that are no UTF-8', bytes('ID,why\n11,caf', 0xe9, '\n'), 'is not valid UTF-8'],
  ['UTF-16', utf16('ID\n11\n'), 'is UTF-16; save it as UTF-8'],
  ['more than 64 MiB', { zeros: 65 * 1024 * 1024 }, 'is larger than 64 MiB'],
  ['thirty faults', `ID\n${ids(900, 30)}\n`, 'and 10 more'],
];

const filled = (content: Content, column: string): Content =>
  typeof content === 'string'
    ? content.replaceAll(/\bID\b/g, column)
    : content instanceof Uint8Array
      ? Buffer.from(
          Buffer.from(content)
            .toString('latin1')
            .replaceAll('ID', column)
            .replace('I\0D\0', utf16(column).subarray(2).toString()),
          'latin1',
        )
      : content;

const list = (
  line: string,
  { column, kind, on }: { column: string; kind: string; on: NonNullable<Row['on']> },
): readonly Row[] =>
  FAULTS.map(([what, content, says]) => ({
    what: `${what} (${column})`,
    line: `${line} list.csv --yes`.replace('plan --holds list.csv --yes', 'plan --holds list.csv'),
    on,
    files: { 'list.csv': filled(content, column) },
    exit: 2,
    says: says.replaceAll(/\bID\b/g, column).replace('KIND', kind),
  }));

const taken = (what: string, content: Content, line = 'plan --json --holds list.csv'): Row => ({
  what,
  line,
  files: { 'list.csv': content },
  exit: 0,
  says: '"hold": 1',
  answers: true,
});

/** Holds and accounts. */
export const LISTS: readonly Row[] = [
  ...list('migrate --holds', { column: 'key_id', kind: 'key', on: 'legacy' }),
  ...list('switch --accounts', { column: 'account_id', kind: 'account', on: 'migrated' }),
  {
    what: 'a list that is not there',
    line: 'plan --holds NONE',
    exit: 2,
    says: 'the holds file /nowhere/at/all does not exist',
  },
  {
    what: 'a folder for a list',
    line: 'rollback --accounts . --yes',
    exit: 2,
    says: 'is a folder, not a file',
    on: 'migrated',
  },
  { what: 'a device for a list', line: 'plan --holds /dev/zero', exit: 2, says: 'is a device, not a file' },
  taken('a byte order mark, which is no fault', `${BOM}key_id\n11\n`),
  taken('CRLF, which is no fault', crlf('key_id,why\n11,"a\nnote"\n')),
  taken('both, spaces and blank lines, which are no fault', `${BOM}${crlf(' key_id , why\n\n 11 ,\n\n')}`),
  taken('carriage returns alone, as old spreadsheets write, which are no fault', 'key_id\r11\r'),
  taken('an id twice, which is no fault', 'key_id\n11\n11\n'),
];
