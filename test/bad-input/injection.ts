import { INJECTION, type Row } from './row.js';

const config = (path: string, value: unknown): string =>
  JSON.stringify(path.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value));

const given = (path: string, value: unknown, says: Row['says'], what = `SQL as ${path}`): Row => ({
  what,
  line: 'migrate --yes',
  files: { 'keylift.config.json': config(path, value) },
  exit: 2,
  says,
});

const TABLES = ['legacy.keys.table', 'legacy.apis.table', 'legacy.accounts.table', 'target.table'];
const COLUMNS = [
  'legacy.keys.id',
  'legacy.keys.token',
  'legacy.keys.name',
  'legacy.keys.createdAt',
  'legacy.keys.lastUsedAt',
  'legacy.keys.revokedAt',
  'legacy.keys.expiresAt',
  'legacy.keys.api',
  'legacy.keys.account',
  'legacy.apis.id',
  'legacy.apis.slug',
  'legacy.apis.inStore',
  'legacy.accounts.id',
  'legacy.accounts.name',
];

/**
 * What would end the expression, or swallow what stands behind it. The operator is trusted with its meaning, not with
 * its quotes.
 */
const EXPRESSIONS: readonly [sql: string, says: string][] = [
  ['k.name; DROP TABLE public.api_keys', 'must not hold a semicolon outside quotes'],
  ['k.name) FROM public.api_keys k --', 'closes a parenthesis that it did not open'],
  ['k.name -- and the rest', 'must not hold a comment (--)'],
  ['k.name /* and the rest', 'must not hold a comment (/*)'],
  ["k.name || '", "leaves a quote (') open"],
  ["k.name || E'\\'", "leaves a quote (') open"],
  ['k."name', 'leaves a quote (") open'],
  ['k.name || $1', 'must not hold a $ outside quotes'],
  ['$body$ || k.name', 'must not hold'],
  ['(k.name', 'leaves a parenthesis open'],
  ['k.name\0', 'must not hold a NUL character'],
  [' ', 'must not be empty'],
  ['unwrap(k.name)', 'unwrap'],
  ['k.name ||', 'syntax error'],
  ['k.name, k.token', 'must be one value, without a comma outside parentheses'],
  ['DELETE FROM public.api_keys RETURNING name', 'legacy.keys.name'],
  ['(WITH gone AS (DELETE FROM public.api_keys RETURNING name) SELECT name FROM gone LIMIT 1)', 'legacy.keys.name'],
  ['x.name', 'legacy.keys.name'],
  ['count(*)', 'must appear in the GROUP BY clause'],
];

/** SQL in every slot of the configuration that takes a plain name, and what an expression must not do. */
export const INJECTIONS: readonly Row[] = [
  ...TABLES.map((path) =>
    given(
      path,
      `public.${INJECTION}`,
      `${path}: "public.id\\"; DROP TABLE public.api_keys; --" is not a valid table name`,
    ),
  ),
  ...TABLES.slice(0, 3).map((path) =>
    given(
      path,
      'public."id""; DROP TABLE public.api_keys; --"',
      `${path}: no table public.id"; DROP TABLE public.api_keys; --`,
      `SQL in quotes as ${path}`,
    ),
  ),
  ...COLUMNS.map((path) => given(path, INJECTION, `${path}: no column "id\\"; DROP TABLE public.api_keys; --"`)),
  given('legacy.keys.carry', [INJECTION], 'legacy.keys.carry[0]: no column "id\\"; DROP TABLE public.api_keys; --"'),
  given('legacy.keys.timeZone', "UTC'; DROP TABLE public.api_keys; --", "UTC'; DROP TABLE public.api_keys; --"),
  given(
    'target.table',
    '"nowhere""; DROP TABLE public.api_keys; --".keys',
    'DROP TABLE public.api_keys; --',
    "SQL in quotes as the new table's schema",
  ),
  ...EXPRESSIONS.map(([sql, says]) =>
    given('legacy.keys.name', { sql }, says, `an expression: ${JSON.stringify(sql)}`),
  ),
  given(
    'legacy.keys.where',
    { sql: 'true) OR (true' },
    'closes a parenthesis that it did not open',
    'a condition that opens itself',
  ),
  given('legacy.keys.where', { sql: 'k.name' }, 'boolean', 'a condition that is none'),
  given(
    'legacy.keys.token',
    { sql: '(SELECT k.token)' },
    'must be computed from the row itself',
    'a token that is looked up',
  ),
  given(
    'legacy.keys.name',
    '$body$',
    'must not hold $body$, with which keylift quotes its functions',
    "a name that would end a function's body",
  ),
];
