import { aliasesIn } from '../config/expressions.js';
import { parseTableName, quoteIdentifier, quoteTable } from '../config/identifiers.js';
import type { Expression, Settings } from '../config/settings.js';

/**
 * The operator's tables as SQL text: expressions over `k` (the key), `a` (its API) and `o` (its account),
 * ready to be set into a statement. Nothing else in keylift knows a legacy name. What is said of a key needs `k`
 * alone: an operator's expression that looks at `a` or `o` brings them along.
 */
export interface LegacyFragments {
  /** Quoted table names. */
  keys: string;
  apis: string;
  accounts: string;
  target: string;
  /** Expressions over `k`. */
  id: string;
  token: string;
  name: string;
  createdAt: string;
  lastUsedAt: string;
  revokedAt: string;
  expiresAt: string;
  /** This moment, as an expiry is compared with it: a date without zone is in the session's zone, or in the one configured. */
  now: string;
  api: string;
  account: string;
  /** Boolean expressions, never NULL. */
  inStore: string;
  alive: string;
  hasToken: string;
  isPerApiKey: string;
  /** Expressions over `a` and over `o`. */
  apiId: string;
  slug: string;
  accountId: string;
  accountName: string;
  /** Quoted names of carried columns. */
  carry: string[];
  /** Does the API's expression need the account row beside it? Then it cannot be looked up apart. */
  apiNeedsAccount: boolean;
  /** `keys k` joined to its API and account, both perhaps absent. */
  from: string;
  /** Is there a name in the legacy table at all? Where there is none, an account key's name is its own. */
  hasName: boolean;
  /** The quoted legacy column of a value when it is a plain column, else null: only these can be written. */
  writable: Record<WritableValue, string | null>;
}

export type WritableValue = 'token' | 'name' | 'createdAt' | 'lastUsedAt' | 'revokedAt' | 'expiresAt' | 'api' | 'account';

const over = (alias: string, value: Expression | null, absent: string): string => {
  if (value === null) return absent;
  return typeof value === 'string' ? `${alias}.${quoteIdentifier(value)}` : `(${value.sql})`;
};

/**
 * An expression about a key that looks at its API or its account, as a value of the key's row alone. Every statement
 * may then use it, whichever tables it joins.
 */
const alone = (sql: string, joins: Record<'a' | 'o', string>): string => {
  const needed = aliasesIn(sql, ['a', 'o']) as ('a' | 'o')[];
  return needed.length === 0 ? `(${sql})` : `(SELECT (${sql}) FROM (SELECT) one ${needed.map((alias) => joins[alias]).join(' ')})`;
};

const column = (value: Expression | null): string | null => (typeof value === 'string' ? quoteIdentifier(value) : null);

/**
 * A key is alive when it has no revocation date and its expiry, if any, is still to come (rule 5).
 *
 * @param now `LegacyFragments.now`, in the type of the expiry
 */
export const aliveExpression = (revokedAt: string, expiresAt: string, now: string): string =>
  `(${revokedAt} IS NULL AND (${expiresAt} IS NULL OR ${expiresAt} > ${now}))`;

/** Types of which a value is empty exactly when it has no bytes; a padded one has some. */
const BYTES_TELL = new Set(['text', 'character varying', 'bytea']);

/**
 * Not empty, by the type's own idea of it. Bytes are counted where that says the same: counting characters of a
 * multibyte encoding looks at each of them, which is felt over millions of rows.
 */
export const notEmpty = (value: string, type?: string): string => `${type !== undefined && BYTES_TELL.has(type) ? 'octet_length' : 'length'}(${value}) > 0`;

/** Turns settings into SQL text. Pure: whether the columns exist is asked by `inspectLegacy`. */
export function legacyFragments(settings: Settings): LegacyFragments {
  const { keys, apis, accounts } = settings.legacy;
  const table = (text: string): string => quoteTable(parseTableName(text));
  const apiId = `a.${quoteIdentifier(apis.id)}`;
  const accountId = `o.${quoteIdentifier(accounts.id)}`;
  const token = over('k', keys.token, 'NULL');
  const api = over('k', keys.api, 'NULL');
  const joinApi = `LEFT JOIN ${table(apis.table)} a ON ${apiId} = ${api}`;
  const account = typeof keys.account === 'string' ? over('k', keys.account, 'NULL') : alone(keys.account.sql, { a: joinApi, o: '' });
  const joinAccount = `LEFT JOIN ${table(accounts.table)} o ON ${accountId} = ${account}`;
  const k = (value: Expression | null, absent = 'NULL::timestamptz'): string =>
    (value === null || typeof value === 'string' ? over('k', value, absent) : alone(value.sql, { a: joinApi, o: joinAccount }));
  const revokedAt = k(keys.revokedAt);
  const expiresAt = k(keys.expiresAt);
  return {
    keys: table(keys.table),
    apis: table(apis.table),
    accounts: table(accounts.table),
    target: table(settings.target.table),
    id: `k.${quoteIdentifier(keys.id)}`,
    token,
    name: k(keys.name, 'NULL::text'),
    hasName: keys.name !== null,
    createdAt: k(keys.createdAt),
    lastUsedAt: k(keys.lastUsedAt),
    revokedAt,
    expiresAt,
    api,
    account,
    inStore: `(${over('a', apis.inStore, 'false')} IS TRUE)`,
    now: 'now()',
    alive: aliveExpression(revokedAt, expiresAt, 'now()'),
    hasToken: `(${notEmpty(token)}) IS TRUE`,
    isPerApiKey: keys.where === null ? 'true' : `((${keys.where.sql}) IS TRUE)`,
    apiId,
    slug: over('a', apis.slug, 'NULL'),
    accountId,
    accountName: over('o', accounts.name, 'NULL::text'),
    carry: keys.carry.map(quoteIdentifier),
    apiNeedsAccount: typeof apis.inStore !== 'string' && /\bo\s*\./.test(apis.inStore.sql),
    from: `${table(keys.table)} k
      ${joinApi}
      ${joinAccount}`,
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
  };
}

/** FROM of what asks of a key whether its API is of the store, and nothing of its account. */
export const withApi = (l: LegacyFragments): string => (l.apiNeedsAccount ? l.from : `${l.keys} k LEFT JOIN ${l.apis} a ON ${l.apiId} = ${l.api}`);

/** The same fragments with the zone that dates without one are in. */
export const inZone = (l: LegacyFragments, zone: string): LegacyFragments => {
  const now = nowIn(zone);
  return { ...l, now, alive: aliveExpression(l.revokedAt, l.expiresAt, now) };
};

/** This moment as a date without zone. */
export const nowIn = (zone: string): string => `(now() AT TIME ZONE '${zone.replaceAll("'", "''")}')`;

/** The same fragments with another source of keys: a table, or a subquery in parentheses with the table's columns. */
export function overSource(l: LegacyFragments, source: string): LegacyFragments {
  return {
    ...l,
    keys: source,
    from: `${source} k
      LEFT JOIN ${l.apis} a ON ${l.apiId} = ${l.api}
      LEFT JOIN ${l.accounts} o ON ${l.accountId} = ${l.account}`,
  };
}
