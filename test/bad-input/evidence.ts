import { BOM, bytes, crlf, INJECTION, nested, NUL, utf16, type Content, type Row } from './row.js';

const GOOD = '{"key_id":"11","api":"invoices","allowed":true}\n';
const INJECTED = JSON.stringify(`'; ${INJECTION}`);

/** A file of decisions that holds none: answered line by line, exit 2. */
const replay = (what: string, content: Content, says: string): Row => ({
  what: `decisions: ${what}`,
  line: 'verify --replay decisions.ndjson',
  files: { 'decisions.ndjson': content },
  exit: 2,
  says,
  answers: true,
});

/** One that is read, on the rules alone: what is odd about it is no fault of the file's. */
const read = (what: string, content: Content, says: string | RegExp, exit: 0 | 4 = 0): Row => ({
  what: `decisions: ${what}`,
  line: 'verify --json --replay decisions.ndjson',
  files: { 'decisions.ndjson': content },
  exit,
  says,
  answers: true,
});

const REQUEST = { method: 'POST', path: '/v1', header: 'Authorization: Token ${KEY}', before: 201, after: 201 };
const ENV = { KEY: 'canary-4f1d9a' };

/** A probe file that no request is sent for. */
function probe(what: string, content: Content | object, says: string | RegExp, env: Record<string, string> = ENV): Row {
  const isContent = typeof content === 'string' || content instanceof Uint8Array || 'zeros' in content;
  return {
    what: `probe: ${what}`,
    line: 'verify --probe probe.json',
    files: { 'probe.json': isContent ? content : JSON.stringify(content) },
    env,
    exit: 2,
    says,
  };
}

const file = (request: object, more: object = {}): object => ({
  baseUrl: 'http://127.0.0.1:1',
  retries: 0,
  requests: [{ ...REQUEST, ...request }],
  ...more,
});

/** Evidence from outside: recorded decisions and requests to the gateway. */
export const EVIDENCE: readonly Row[] = [
  {
    what: 'decisions: a file that is not there',
    line: 'verify --replay NONE',
    exit: 2,
    says: 'the replay file /nowhere/at/all does not exist',
  },
  { what: 'decisions: a folder', line: 'verify --replay .', exit: 2, says: 'is a folder' },
  replay('a CSV', 'key_id,api\n11,invoices\n', 'line 1: not JSON'),
  replay('a list', `[${GOOD}]`, 'line 1: not JSON'),
  replay(
    'one fault of each kind',
    '{}\n7\nnull\n{"token":1,"api":2,"allowed":3}\n',
    'token is not text, api is not text, allowed is neither true nor false',
  ),
  replay('both names of a key', GOOD.replace('{', '{"token":"a",'), 'line 1: token and key_id exclude each other'),
  replay('an id that is none', GOOD.replace('11', "11' OR true --"), 'line 1: key_id is no bigint'),
  replay('an id that JSON does not keep', GOOD.replace('"11"', '9007199254740993'), 'write it as text'),
  replay(
    'a NUL character',
    '{"token":"a\\u0000","api":"invoices","allowed":true}',
    'token holds a character PostgreSQL cannot store',
  ),
  replay(
    'half a character',
    '{"token":"\\ud800","api":"invoices","allowed":true}',
    'token holds a character PostgreSQL cannot store',
  ),
  replay('a NUL byte', `${GOOD.trim()}${NUL}\n`, 'line 1: not JSON'),
  replay(
    'bytes that are no UTF-8',
    bytes('{"token":"caf', 0xe9, '","api":"invoices","allowed":true}\n'),
    'line 1: not valid UTF-8',
  ),
  replay('UTF-16', utf16(GOOD), 'line 1: not valid UTF-8'),
  replay('a line past all measure', `{"token":"${'x'.repeat(100_000)}"}`, 'line 1: longer than 65536 bytes'),
  replay('brackets thirty thousand deep', nested(30_000), 'line 1: not'),
  read(
    'SQL for a token and an API',
    `{"token":${INJECTED},"api":${INJECTED},"allowed":false}\n${GOOD}`,
    '"unknown_keys": 1',
  ),
  read(
    'a byte order mark, CRLF and blank lines, which are no fault',
    `${BOM}${crlf(`${GOOD}\n${GOOD}`)}`,
    '"decisions": 2',
  ),
  read('a field given twice, of which the last counts', GOOD.replace('{', '{"allowed":false,'), '"same": 1'),
  {
    what: 'probe: a file that is not there',
    line: 'verify --probe NONE',
    exit: 2,
    says: 'the probe file /nowhere/at/all does not exist',
  },
  { what: 'probe: a folder', line: 'verify --probe .', exit: 2, says: 'is a folder' },
  probe('nothing in it', '', 'is not JSON: line 1, column 1'),
  probe('half of it', '{"baseUrl": "http://127.0.0.1', 'is not JSON: line 1, column 13'),
  probe('a list', '[]', '(the whole file): must be an object, not a list'),
  probe('bytes that are no UTF-8', bytes('{"baseUrl": "caf', 0xe9, '"}'), 'is not valid UTF-8'),
  probe('UTF-16', utf16('{}'), 'is UTF-16; save it as UTF-8'),
  probe('a NUL byte', `{}${NUL}`, 'holds a NUL byte (byte 3)'),
  probe('more than four megabytes', { zeros: 5_000_000 }, 'is larger than 4 MiB'),
  probe('brackets a thousand deep', nested(1_000), 'is not JSON'),
  probe(
    'a key given twice',
    '{"baseUrl": "http://a", "baseUrl": "http://b", "requests": []}',
    'baseUrl: given twice (again in line 1)',
  ),
  probe('no requests', { baseUrl: 'http://127.0.0.1:1', requests: [] }, 'requests: must NOT have fewer than 1 items'),
  probe('an unknown key', file({}, { retires: 1 }), 'retires: unknown key, did you mean "retries"?'),
  probe(
    'wrong types',
    file({ before: '201', method: 'BREW' }),
    /2 faults:\n(?=[^]*requests\[0\]\.before)[^]*requests\[0\]\.method/,
  ),
  probe(
    'a token in the file',
    file({ header: 'Authorization: Token hunter2-secret' }),
    'a token in the file is refused',
  ),
  probe(
    'a line break for a header',
    file({ header: 'Authorization: ${KEY}\r\nHost: evil' }),
    'requests[0].header: must be one of',
  ),
  probe("a header of the request's own", file({ header: 'Host: ${KEY}' }), 'Host is no header that carries a key'),
  probe('a variable that is not set', file({}), 'the environment variable KEY is not set', {}),
  probe('a variable with a line break', file({}), 'the environment variable KEY holds what a header cannot carry', {
    KEY: 'hunter2-secret\r\nHost: evil',
  }),
  probe(
    'another scheme',
    file({}, { baseUrl: 'ftp://127.0.0.1' }),
    'baseUrl: must be an address such as https://api.example.com',
  ),
  probe(
    'a password in the address',
    file({}, { baseUrl: 'http://ann:hunter2-secret@127.0.0.1' }),
    'baseUrl: must not hold a user or a password',
  ),
  probe('a path with a space', file({ path: '/v1/a b' }), 'requests[0].path: must be percent-encoded'),
  probe('a body that is not there', file({ body: { file: 'sample.pdf' } }), 'sample.pdf does not exist'),
  probe(
    'a body of two kinds',
    file({ body: { file: 'probe.json', text: 'x' } }),
    'requests[0].body: must hold either text or file',
  ),
  probe('an authority that is none', file({}, { ca: 'probe.json' }), 'ca: must be a file of PEM certificates'),
  probe('SQL for a key', file({ keyId: `11; ${INJECTION}`, after: 400 }), 'keylift does not know the key of a request'),
  probe('a key that is not there', file({ after: 400 }), 'keylift does not know the key of a request'),
];
