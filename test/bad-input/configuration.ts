import { BOM, bytes, crlf, nested, NUL, utf16, type Content, type Row } from './row.js';

/** A configuration in the working folder, met by a command that would write. */
function config(what: string, content: Content | object, says: Row['says'], line = 'migrate --yes'): Row {
  const isContent = typeof content === 'string' || content instanceof Uint8Array || 'zeros' in content;
  return { what, line, files: { 'keylift.config.json': isContent ? content : JSON.stringify(content) }, exit: 2, says };
}

const keys = (values: object): object => ({ legacy: { keys: values } });

const GOOD = '{\n  "legacy": { "keys": { "name": null } }\n}\n';

/** The configuration file. */
export const CONFIGURATION: readonly Row[] = [
  {
    what: 'a file that is not there',
    line: 'plan --config NONE',
    exit: 2,
    says: /the config file .* does not exist\n.*file: .*\n.*given by: --config/,
  },
  {
    what: 'a file that is not there, by the environment',
    line: 'plan',
    env: { KEYLIFT_CONFIG: '/nowhere/k.json' },
    exit: 2,
    says: 'given by: KEYLIFT_CONFIG',
  },
  { what: 'a folder', line: 'plan --config .', exit: 2, says: 'is a folder, not a file' },
  { what: 'a file below a file', line: 'plan --config a/b.json', files: { a: '' }, exit: 2, says: 'does not exist' },
  config('nothing in it', '', 'is not JSON: line 1, column 1: the file is empty'),
  config('a byte order mark and nothing else', BOM, 'the file is empty'),
  config('blank lines', ' \r\n\t\n', 'the file is empty'),
  config('half of it', '{"legacy": ', 'is not JSON: line 1, column 12: expected a value, but the file ends'),
  config('a comma too many', '{"legacy": {},}', 'expected a key in double quotes, found "}"'),
  config(
    'a comment',
    '{\n  // mine\n}',
    'line 2, column 3: expected a key in double quotes, found "/" (JSON has no comments)',
  ),
  config('single quotes', "{'legacy': {}}", 'expected a key in double quotes'),
  config('two documents', '{} {}', 'there is text after the end of the document'),
  config('a number that JSON does not have', '{"legacy": 0x10}', 'is not JSON: line 1'),
  config('a list', '[]', '(the whole file): must be an object, not a list'),
  config('null', 'null', '(the whole file): must be an object, not null'),
  config('a word', '"legacy"', '(the whole file): must be an object, not text "legacy"'),
  config(
    'a key given twice',
    '{"target": {"table": "a"},\n "target": {"table": "b"}}',
    'target: given twice (again in line 2)',
  ),
  config('brackets a hundred deep', `{"legacy": ${nested(100)}}`, 'nested deeper than 32 levels'),
  config('brackets a hundred thousand deep', nested(100_000), 'nested deeper than 32 levels'),
  config('more than a megabyte', ' '.repeat(1_100_000), 'is larger than 1 MiB'),
  config('a megabyte of nothing', { zeros: 900_000 }, 'holds a NUL byte (byte 1)'),
  config('a NUL byte', `{"legacy": {}}${NUL}`, 'holds a NUL byte (byte 15)'),
  config('UTF-16', utf16(GOOD), 'is UTF-16; save it as UTF-8'),
  config('bytes that are no UTF-8', bytes('{"target": {"table": "caf', 0xe9, '"}}'), 'is not valid UTF-8'),
  config('an unknown key', { legcy: {} }, 'legcy: unknown key, did you mean "legacy"?'),
  config(
    'an unknown key that JavaScript knows',
    '{"__proto__": {"legacy": {}}, "constructor": 1}',
    '__proto__: unknown key',
  ),
  config(
    'three faults at once',
    { legacy: { keys: { tokn: 'token', createdAt: 7 }, apis: { inStore: null } } },
    /3 faults:\n(?=[^]*legacy\.keys\.tokn)(?=[^]*legacy\.keys\.createdAt: must be text or \{"sql": "…"\}, not the number 7)[^]*legacy\.apis\.inStore/,
  ),
  config(
    'a hundred unknown keys',
    Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`key${String(n)}`, n])),
    'and 50 more',
  ),
  config('a key of a thousand characters', { ['k'.repeat(1_000)]: 1 }, /\["k{80}"\]: unknown key/),
  config('a column that is a number', keys({ id: 7 }), 'legacy.keys.id: must be text, not the number 7'),
  config('a column without a name', keys({ token: '' }), 'legacy.keys.token: must not be empty'),
  config('an id that is computed', keys({ id: { sql: 'k.id' } }), 'legacy.keys.id: must be text, not an object'),
  config('no token', keys({ token: null }), 'legacy.keys.token: must be text or {"sql": "…"}, not null'),
  config('an expression without its text', keys({ name: {} }), 'legacy.keys.name.sql: missing'),
  config(
    'an expression with more than its text',
    keys({ name: { sql: 'k.name', cast: 'text' } }),
    'legacy.keys.name.cast: unknown key',
  ),
  config(
    'an expression that is a number',
    keys({ name: { sql: 1 } }),
    'legacy.keys.name.sql: must be text, not the number 1',
  ),
  config(
    'a condition that is a column',
    keys({ where: 'active' }),
    'legacy.keys.where: must be {"sql": "…"} or null, not text "active"',
  ),
  config(
    'carried columns that are a word',
    keys({ carry: 'scopes' }),
    'legacy.keys.carry: must be a list, not text "scopes"',
  ),
  config(
    'a carried column in a list of its own',
    keys({ carry: [['scopes']] }),
    'legacy.keys.carry[0]: must be text, not a list',
  ),
  config('a carried column twice', keys({ carry: ['name2', 'name2'] }), 'legacy.keys.carry[1]: "name2" is named twice'),
  config(
    'a carried column that the new table has',
    keys({ carry: ['scope'] }),
    'legacy.keys.carry[0]: "scope" is a column that the new table already has',
  ),
  config('a name with a NUL character', keys({ token: 'to\0ken' }), 'legacy.keys.token: must not hold a NUL character'),
  config(
    'a name with half a character',
    '{"legacy": {"keys": {"token": "\\ud800"}}}',
    'legacy.keys.token: must be well-formed Unicode',
  ),
  config(
    'a name past 63 bytes',
    keys({ token: 'é'.repeat(32) }),
    'legacy.keys.token: must not be longer than 63 bytes',
  ),
  config(
    'a table of four parts',
    { target: { table: 'a.b.c.d' } },
    'target.table: "a.b.c.d" is not a valid table name',
  ),
  config(
    'a table that needs quotes',
    { target: { table: 'public.account keys' } },
    'write it as in SQL: table, schema.table, or public."ApiKey"',
  ),
  config(
    'a new table that is the old one',
    { target: { table: 'api_keys' } },
    'target.table: is the same table as legacy.keys.table',
  ),
  config(
    'a new table in the ledger',
    { target: { table: 'keylift.keys' } },
    'target.table: must not be in the schema keylift',
  ),
  config('ids that are tokens', keys({ id: 'token' }), 'legacy.keys.id: is the token itself'),
  config('a zone that is none', keys({ timeZone: 'Mars/Olympus' }), 'Mars/Olympus'),
  config(
    'a table that is not there',
    keys({ table: 'public.apikeys' }),
    'legacy.keys.table: no table public.apikeys, did you mean public.api_keys?',
  ),
  config(
    'a column that is not there',
    keys({ token: 'tokn' }),
    'legacy.keys.token: no column "tokn", did you mean "token"?',
  ),
  config('a date that is text', keys({ expiresAt: 'name' }), 'legacy.keys.expiresAt'),
  {
    ...config('a byte order mark and CRLF, which are no fault', BOM + crlf(GOOD), '4 per-API keys', 'plan'),
    exit: 0,
    answers: true,
  },
];
