import { aliasesIn, hasSubquery, readsOnly, withAlias } from '../config/expressions.js';
import { parseTableName, quoteIdentifier, quoteTable } from '../config/identifiers.js';
import type { Expression, Settings } from '../config/settings.js';
import { literal, sql } from '../database/sql.js';

/** SQL over one row. The alias names that row in the statement; an empty alias gives bare columns, as an index has them. */
export type Fragment = (alias?: string) => string;

/**
 * The operator's tables as SQL text: expressions over `k` (the key), `a` (its API) and `o` (its account). No other folder
 * knows a legacy name. An expression about a key needs the key's row alone: where the operator's SQL looks at `a` or `o`,
 * the fragment joins them itself.
 */
export interface LegacyFragments {
  /** Quoted table names. */
  keys: string;
  apis: string;
  accounts: string;
  target: string;
  /** Over a key; the alias is `k` by default. */
  id: Fragment;
  token: Fragment;
  name: Fragment;
  createdAt: Fragment;
  lastUsedAt: Fragment;
  revokedAt: Fragment;
  expiresAt: Fragment;
  api: Fragment;
  account: Fragment;
  /** Over a key, boolean, never NULL. */
  alive: Fragment;
  hasToken: Fragment;
  isPerApiKey: Fragment;
  /** Over an API and the account that asks, boolean, never NULL; the aliases are `a` and `o` by default. */
  inStore: (api?: string, account?: string) => string;
  /** `inStore` as a condition of WHERE or ON, where NULL counts as false: PostgreSQL can hash or merge by it. */
  opens: (api?: string, account?: string) => string;
  /**
   * Over an API and its key's account: keys of this API stay. Where the account is missing and `inStore` cannot say
   * without it, the key does not stay: it is an exception.
   */
  outOfStore: string;
  /** Over an API; the alias is `a` by default. */
  apiId: Fragment;
  slug: Fragment;
  /** Over an account; the alias is `o` by default. */
  accountId: Fragment;
  accountName: Fragment;
  /** The current time in the type that an expiry is compared with; `timeZone` of the configuration decides for dates without zone. */
  now: string;
  /** Quoted names of carried columns. */
  carry: string[];
  /** True where `inStore` looks at the account: then an API alone does not say whether it is a store API. */
  apiNeedsAccount: boolean;
  /** True where it looks at the account's id and at nothing else of it: a key's account is enough then. */
  apiNeedsAccountId: boolean;
  /** `keys k` joined to its API and account, both perhaps absent. */
  from: string;
  /** False where the legacy table has no name: then an account key's name is its own. */
  hasName: boolean;
  /** The quoted legacy column of a value when it is a plain column, else null: only these can be written. */
  writable: Record<WritableValue, string | null>;
  /** Values that the configuration computes by an expression: they may change while the key's row does not. */
  computed: ReadonlySet<WritableValue>;
}

const VALUES = ['token', 'name', 'createdAt', 'lastUsedAt', 'revokedAt', 'expiresAt', 'api', 'account'] as const;
export type WritableValue = (typeof VALUES)[number];

const columnOf = (alias: string, column: string): string =>
  alias === '' ? quoteIdentifier(column) : `${alias}.${quoteIdentifier(column)}`;

/** The operator's expression over the row `alias`; it was written over `written`. */
function expressionOver(expression: string, { written, alias }: { written: string; alias: string }): string {
  if (alias === written) return `(${expression})`;
  // Inside a subquery the same alias may name another row, so the whole expression gets its row under its own name.
  if (alias !== '' && hasSubquery(expression)) return `(SELECT (${expression}) FROM (SELECT ${alias}.*) ${written})`;
  return `(${withAlias(expression, written, alias)})`;
}

/** A value of the configuration as a fragment over the table whose rows the configuration calls `written`. */
const fragmentOver =
  (written: 'k' | 'a' | 'o', value: Expression | null, absent: string): Fragment =>
  (alias = written) => {
    if (value === null) return absent;
    return typeof value === 'string' ? columnOf(alias, value) : expressionOver(value.sql, { written, alias });
  };

/** An expression about a key that looks at its API or its account, as a value of the key's row alone. */
const keyExpression =
  (expression: string, joins: Record<'a' | 'o', Fragment>): Fragment =>
  (alias = 'k') => {
    const value = expressionOver(expression, { written: 'k', alias });
    const needed = aliasesIn(expression, ['a', 'o']) as ('a' | 'o')[];
    if (needed.length === 0) return value;
    return `(SELECT ${value} FROM (SELECT) one ${needed.map((name) => joins[name](alias)).join(' ')})`;
  };

const column = (value: Expression | null): string | null => (typeof value === 'string' ? quoteIdentifier(value) : null);

/**
 * A key is alive when it has no revocation date and its expiry, if any, is in the future (rule 5).
 *
 * @param now `LegacyFragments.now`, in the type of the expiry
 */
export const aliveExpression = (revokedAt: string, expiresAt: string, now: string): string =>
  `(${revokedAt} IS NULL AND (${expiresAt} IS NULL OR ${expiresAt} > ${now}))`;

/** Types of which a value is empty exactly when it has no bytes; a padded one has some. */
const BYTES_TELL = new Set(['text', 'character varying', 'bytea']);

/**
 * Not empty, by the type's own idea of it. Counting the characters of a multibyte encoding looks at each of them, which
 * costs time over millions of rows; so bytes are counted where that gives the same answer.
 */
export const notEmpty = (value: string, type?: string): string =>
  `${type !== undefined && BYTES_TELL.has(type) ? 'octet_length' : 'length'}(${value}) > 0`;

/** Turns settings into SQL text. Pure: `inspectLegacy` checks whether the columns exist. */
export function legacyFragments(settings: Settings): LegacyFragments {
  const { keys, apis, accounts } = settings.legacy;
  const table = (text: string): string => quoteTable(parseTableName(text));
  const apiId = fragmentOver('a', apis.id, 'NULL');
  const accountId = fragmentOver('o', accounts.id, 'NULL');
  const token = fragmentOver('k', keys.token, 'NULL');
  const api = fragmentOver('k', keys.api, 'NULL');
  const joinApi: Fragment = (alias) => `LEFT JOIN ${table(apis.table)} a ON ${apiId()} = ${api(alias)}`;
  const account =
    typeof keys.account === 'string'
      ? fragmentOver('k', keys.account, 'NULL')
      : keyExpression(keys.account.sql, { a: joinApi, o: () => '' });
  const joinAccount: Fragment = (alias) => `LEFT JOIN ${table(accounts.table)} o ON ${accountId()} = ${account(alias)}`;
  const ofKey = (value: Expression | null, absent = 'NULL::timestamptz'): Fragment =>
    value === null || typeof value === 'string'
      ? fragmentOver('k', value, absent)
      : keyExpression(value.sql, { a: joinApi, o: joinAccount });
  const revokedAt = ofKey(keys.revokedAt);
  const expiresAt = ofKey(keys.expiresAt);
  const opens = opensOver(apis.inStore);
  const apiNeedsAccount = typeof apis.inStore !== 'string' && aliasesIn(apis.inStore.sql, ['o']).length > 0;
  return {
    keys: table(keys.table),
    apis: table(apis.table),
    accounts: table(accounts.table),
    target: table(settings.target.table),
    id: fragmentOver('k', keys.id, 'NULL'),
    token,
    name: ofKey(keys.name, 'NULL::text'),
    hasName: keys.name !== null,
    createdAt: ofKey(keys.createdAt),
    lastUsedAt: ofKey(keys.lastUsedAt),
    revokedAt,
    expiresAt,
    api,
    account,
    inStore: (api, account) => `(${opens(api, account)} IS TRUE)`,
    opens,
    outOfStore: apiNeedsAccount
      ? `(${opens()} IS FALSE OR ${opens()} IS NULL AND ${accountId()} IS NOT NULL)`
      : `NOT (${opens()} IS TRUE)`,
    now: 'now()',
    alive: (alias) => aliveExpression(revokedAt(alias), expiresAt(alias), 'now()'),
    hasToken: (alias) => `(${notEmpty(token(alias))}) IS TRUE`,
    isPerApiKey: isPerApiKeyOver(keys.where),
    apiId,
    slug: fragmentOver('a', apis.slug, 'NULL'),
    accountId,
    accountName: fragmentOver('o', accounts.name, 'NULL::text'),
    carry: keys.carry.map(quoteIdentifier),
    apiNeedsAccount,
    apiNeedsAccountId: apiNeedsAccount && readsOnly((apis.inStore as { sql: string }).sql, 'o', accounts.id),
    from: sql`
      ${table(keys.table)} k
      ${joinApi()}
      ${joinAccount()}`,
    writable: {
      token: column(keys.token),
      name: column(keys.name),
      createdAt: column(keys.createdAt),
      lastUsedAt: column(keys.lastUsedAt),
      revokedAt: column(keys.revokedAt),
      expiresAt: column(keys.expiresAt),
      api: column(keys.api),
      account: column(keys.account),
    },
    computed: new Set(VALUES.filter((value) => typeof keys[value] === 'object' && keys[value] !== null)),
  };
}

function opensOver(value: Expression): LegacyFragments['opens'] {
  if (typeof value === 'string') return (api = 'a') => columnOf(api, value);
  return (api = 'a', account = 'o') => {
    const overApi = expressionOver(value.sql, { written: 'a', alias: api });
    return account === 'o' ? overApi : withAlias(overApi, 'o', account);
  };
}

const isPerApiKeyOver =
  (where: Exclude<Expression, string> | null): Fragment =>
  (alias = 'k') =>
    where === null ? 'true' : `(${expressionOver(where.sql, { written: 'k', alias })} IS TRUE)`;

/** FROM for a question about a key's API that needs nothing of its account. */
export const withApi = (l: LegacyFragments): string =>
  l.apiNeedsAccount
    ? l.from
    : sql`
        ${l.keys} k
        LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}`;

/** The same fragments, with the time zone of dates without one. */
export const inZone = (l: LegacyFragments, zone: string): LegacyFragments => {
  const now = nowIn(zone);
  return { ...l, now, alive: (alias) => aliveExpression(l.revokedAt(alias), l.expiresAt(alias), now) };
};

/** The current time as a date without zone. */
export const nowIn = (zone: string): string => `(now() AT TIME ZONE ${literal(zone)})`;

/** The same fragments with another source of keys: a table, or a subquery in parentheses with the table's columns. */
export function overSource(l: LegacyFragments, source: string): LegacyFragments {
  return {
    ...l,
    keys: source,
    from: sql`
      ${source} k
      LEFT JOIN ${l.apis} a ON ${l.apiId()} = ${l.api()}
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}`,
  };
}
