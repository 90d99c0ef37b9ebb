import { parseTableName, quoteIdentifier, quoteTable } from '../config/identifiers.js';
import type { Expression, Settings } from '../config/settings.js';

/**
 * The operator's tables as SQL text: expressions over `k` (the key), `a` (its API) and `o` (its account),
 * ready to be set into a statement. Nothing else in keylift knows a legacy name.
 */
export interface LegacyFragments {
  /** Quoted table names. */
  keys: string;
  apis: string;
  accounts: string;
  target: string;
  /** Expressions over `k`, sometimes `a` and `o`. */
  id: string;
  token: string;
  name: string;
  createdAt: string;
  lastUsedAt: string;
  revokedAt: string;
  expiresAt: string;
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
  /** The quoted legacy column of a value when it is a plain column, else null: only these can be written. */
  writable: Record<'token' | 'name' | 'createdAt' | 'lastUsedAt' | 'revokedAt' | 'expiresAt' | 'api' | 'account', string | null>;
}

const over = (alias: string, value: Expression | null, absent: string): string => {
  if (value === null) return absent;
  return typeof value === 'string' ? `${alias}.${quoteIdentifier(value)}` : `(${value.sql})`;
};

const column = (value: Expression | null): string | null => (typeof value === 'string' ? quoteIdentifier(value) : null);

/** A key is alive when it has no revocation date and its expiry, if any, is still to come (rule 5). */
export const aliveExpression = (revokedAt: string, expiresAt: string): string =>
  `(${revokedAt} IS NULL AND (${expiresAt} IS NULL OR ${expiresAt} > now()))`;

/** Turns settings into SQL text. Pure: whether the columns exist is asked by `inspectLegacy`. */
export function legacyFragments(settings: Settings): LegacyFragments {
  const { keys, apis, accounts } = settings.legacy;
  const table = (text: string): string => quoteTable(parseTableName(text));
  const k = (value: Expression | null, absent = 'NULL'): string => over('k', value, absent);
  const revokedAt = k(keys.revokedAt, 'NULL::timestamptz');
  const expiresAt = k(keys.expiresAt, 'NULL::timestamptz');
  const token = k(keys.token);
  const api = k(keys.api);
  const account = k(keys.account);
  const apiId = `a.${quoteIdentifier(apis.id)}`;
  const accountId = `o.${quoteIdentifier(accounts.id)}`;
  return {
    keys: table(keys.table),
    apis: table(apis.table),
    accounts: table(accounts.table),
    target: table(settings.target.table),
    id: `k.${quoteIdentifier(keys.id)}`,
    token,
    name: k(keys.name, 'NULL::text'),
    createdAt: k(keys.createdAt),
    lastUsedAt: k(keys.lastUsedAt, 'NULL::timestamptz'),
    revokedAt,
    expiresAt,
    api,
    account,
    inStore: `(${over('a', apis.inStore, 'false')} IS TRUE)`,
    alive: aliveExpression(revokedAt, expiresAt),
    hasToken: `(length(${token}) > 0) IS TRUE`,
    isPerApiKey: keys.where === null ? 'true' : `((${keys.where.sql}) IS TRUE)`,
    apiId,
    slug: over('a', apis.slug, 'NULL'),
    accountId,
    accountName: over('o', accounts.name, 'NULL::text'),
    carry: keys.carry.map(quoteIdentifier),
    apiNeedsAccount: typeof apis.inStore !== 'string' && /\bo\s*\./.test(apis.inStore.sql),
    from: `${table(keys.table)} k
      LEFT JOIN ${table(apis.table)} a ON ${apiId} = ${api}
      LEFT JOIN ${table(accounts.table)} o ON ${accountId} = ${account}`,
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
