import { legacyWith } from '../cases/case-directory.js';
import { BOM, bytes, crlf, INJECTION, nested, NUL, utf16, type Content, type Row } from './row.js';

const isContent = (content: Content | object): content is Content =>
  typeof content === 'string' || content instanceof Uint8Array || 'zeros' in content;

/** A case in the default tables. */
const fixture = (
  what: string,
  legacy: Content | object,
  says: Row['says'],
  more: Record<string, Content> = {},
): Row => ({
  what: `case: ${what}`,
  line: 'snapshot check case',
  exit: 2,
  says,
  files: { 'case/legacy.json': isContent(legacy) ? legacy : JSON.stringify(legacy), ...prefixed(more) },
});

const prefixed = (files: Record<string, Content>): Record<string, Content> =>
  Object.fromEntries(Object.entries(files).map(([name, content]) => [`case/${name}`, content]));

const SCHEMA = 'CREATE TABLE public.api_keys (id bigint PRIMARY KEY, token text);\n';

/** A case in tables of its own. */
const own = (
  what: string,
  tables: object,
  says: Row['says'],
  schema: Record<string, Content> = { 'schema.sql': SCHEMA },
): Row => fixture(what, { tables }, says, schema);

/** Fixture cases. */
export const CASES: readonly Row[] = [
  {
    what: 'case: a folder that is not there',
    line: 'snapshot check NONE',
    exit: 2,
    says: '/nowhere/at/all: keylift cannot read cases there',
  },
  {
    what: 'case: a file for a folder',
    line: 'snapshot check legacy.json',
    files: { 'legacy.json': '{}' },
    exit: 2,
    says: 'keylift cannot read cases there',
  },
  {
    what: 'case: a folder without cases',
    line: 'snapshot check .',
    exit: 2,
    says: 'is neither a case (it has no legacy.json) nor a folder of cases',
  },
  {
    what: 'case: a folder for its file',
    line: 'snapshot check .',
    files: { 'case/legacy.json/x': '' },
    exit: 2,
    says: 'legacy.json: a folder, not a file',
  },
  fixture('nothing in it', '', 'legacy.json: line 1, column 1: the file is empty'),
  fixture('half of it', '{"accounts": [', 'but the file ends'),
  fixture('a list', '[]', 'legacy.json: not object'),
  fixture('null', 'null', 'legacy.json: not object'),
  fixture('a NUL byte', `{}${NUL}`, 'legacy.json: holds a NUL byte (byte 3)'),
  fixture('bytes that are no UTF-8', bytes('{"about": "caf', 0xe9, '"}'), 'legacy.json: not valid UTF-8'),
  fixture('UTF-16', utf16('{}'), 'legacy.json: UTF-16; save it as UTF-8'),
  fixture('brackets ten thousand deep', nested(10_000), 'nested deeper than 32 levels'),
  fixture(
    'a key given twice',
    '{"accounts": [], "accounts": [], "apis": [], "keys": []}',
    'accounts: given twice (again on line 1)',
  ),
  fixture('a table missing', { accounts: [], apis: [] }, 'legacy.json: keys: missing'),
  fixture('an unknown table', { ...legacyWith(), users: [] }, 'legacy.json: users: unknown field (known are'),
  fixture('an unknown field', legacyWith({ scopes: [] }), 'keys[0].scopes: unknown field'),
  fixture(
    'a number past 2^53',
    JSON.stringify(legacyWith()).replace('"id":1', '"id":9007199254740993'),
    'write it as a string',
  ),
  fixture('an id with a fraction', legacyWith({ id: 1.5 }), 'keys[0].id: not a bigint'),
  fixture('SQL for an id', legacyWith({ account_id: `1; ${INJECTION}` }), 'keys[0].account_id: not a bigint'),
  fixture('SQL for a date', legacyWith({ created_at: "now()'; DROP TABLE x" }), 'keys[0].created_at: not a timestamp'),
  fixture(
    'a date without a zone',
    legacyWith({ created_at: '2020-01-01T00:00:00' }),
    'keys[0].created_at: not a timestamp',
  ),
  fixture(
    'a day that is none',
    legacyWith({ expires_at: '2021-02-30T00:00:00Z' }),
    'keys[0].expires_at: not a timestamp',
  ),
  fixture(
    'a token with a NUL character',
    legacyWith({ token: 'a\0' }),
    'keys[0].token: not a text PostgreSQL can store',
  ),
  fixture('a name that is a number', legacyWith({ name: 7 }), 'keys[0].name: not a text PostgreSQL can store'),
  fixture('an id twice', { ...legacyWith(), keys: [{ id: 1 }, { id: '1' }] }, 'keys[1].id: the same as keys[0].id'),
  fixture('a holds file misspelt', legacyWith(), 'hold.csv: not part of a case', { 'hold.csv': 'key_id\n1\n' }),
  fixture('a configuration that is none', legacyWith(), 'keylift.config.json: the config file', {
    'keylift.config.json': '{"legcy": {}}',
  }),
  own('own tables without their DDL', { 'public.api_keys': [] }, 'schema.sql: does not exist', {}),
  own('SQL for a table', { [`public.api_keys"; DROP TABLE x; --`]: [{ id: 1 }] }, 'not a table name in SQL'),
  own('rows that are no rows', { 'public.api_keys': [7] }, 'not object'),
  own(
    'a number past 2^53 in an own table',
    JSON.parse('{"public.api_keys": [{"id": "1", "token": 9007199254740993000}]}') as object,
    'a number beyond 2^53 loses digits in JSON',
  ),
  own('DDL with a NUL byte', { 'public.api_keys': [] }, 'schema.sql: holds a NUL byte (byte 67)', {
    'schema.sql': `${SCHEMA}${NUL}`,
  }),
];

/** Cases that a server has to look at: each in a scratch database of its own. What stops one is an answer about it. */
export const CASES_ON_A_SERVER: readonly Row[] = (
  [
    own(
      'SQL for a column',
      { 'public.api_keys': [{ [INJECTION]: 1 }] },
      `column "${INJECTION}" of relation "api_keys" does not exist`,
    ),
    own(
      'a table that the DDL does not make',
      { 'public.other': [{ id: 1 }] },
      'relation "public.other" does not exist',
    ),
    own(
      'a value of another type',
      { 'public.api_keys': [{ id: 'hunter2-secret' }] },
      '"public"."api_keys" cannot be loaded: a value does ' +
        'not have the form that its type or a function requires (SQLSTATE 22P02)',
    ),
    own(
      'DDL that is no SQL',
      { 'public.api_keys': [] },
      'schema.sql cannot be loaded: syntax error at or near "TABEL"',
      { 'schema.sql': 'CREATE TABEL x;' },
    ),
    fixture('holds of nobody', legacyWith(), 'line 2: no key "99"', { 'holds.csv': 'key_id\n99\n' }),
    {
      ...fixture(
        'a byte order mark and CRLF, which are no fault',
        BOM + crlf(JSON.stringify(legacyWith(), null, 2)),
        'plan (snapshots/plan.json: does not exist)',
      ),
      exit: 4,
    },
  ] satisfies Row[]
).map((row) => ({ ...row, answers: true }));
