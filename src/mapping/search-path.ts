import type { Expression, Settings } from '../config/settings.js';
import { CATALOG_ALONE } from '../database/with-search-path.js';
import type { ReadSession } from '../database/session.js';
import { commaList, sql, type Statement } from '../database/sql.js';
import { sqlStateOf } from '../database/sqlstate.js';
import type { LegacyFragments } from './fragments.js';

/** SQLSTATE class of names that mean nothing, and of types that do not fit what they mean. */
const MEANS_NOTHING = /^(42|3F)/;

/** The search path that role and database give the operator, in which the mapping was written. */
export const ON_OWN_PATH = 'SET LOCAL search_path TO DEFAULT';

/** `fn` with the operator's own search path: for what the mapping means. Inside a transaction; what `fn` sets is undone. */
export const onOwnPath = <T>(session: ReadSession, fn: () => Promise<T>): Promise<T> =>
  setApart(session, ON_OWN_PATH, fn);

/** `fn` with pg_catalog alone: what the server writes out then names its schema, and means the same on any path. */
export const onCatalogAlone = <T>(session: ReadSession, fn: () => Promise<T>): Promise<T> =>
  setApart(session, `SET LOCAL search_path = ${CATALOG_ALONE}`, fn);

/** Taken back by a savepoint, which also ends what a failed statement did to the transaction. */
async function setApart<T>(session: ReadSession, setting: string, fn: () => Promise<T>): Promise<T> {
  await session.query(`SAVEPOINT keylift_apart; ${setting}`);
  try {
    return await fn();
  } finally {
    await session.query('ROLLBACK TO SAVEPOINT keylift_apart');
  }
}

/**
 * Where keylift's own transactions and the functions it installs look names up, quoted, as in SQL. They run with the
 * operator's rights, and whoever may create in one of these schemas could slip them a function that fits better than
 * PostgreSQL's own. So it is pg_catalog alone wherever the mapping means the same there; else also `path`, the operator's own.
 */
export async function searchPathOf(
  session: ReadSession,
  l: LegacyFragments,
  { settings, path }: { settings: Settings; path: string },
): Promise<string> {
  const apart =
    expressionsOf(settings).some((sql) => /\bselect\b/i.test(sql)) ||
    (await hasForeignTypes(session, l)) ||
    !(await readsAlone(session, l));
  return apart ? `pg_catalog, ${path}, pg_temp` : CATALOG_ALONE;
}

function expressionsOf({ legacy: { keys, apis, accounts } }: Settings): string[] {
  const values: (Expression | null)[] = [
    ...Object.values(keys),
    ...Object.values(apis),
    ...Object.values(accounts),
  ] as never;
  return values.flatMap((value) => (value !== null && typeof value === 'object' && 'sql' in value ? [value.sql] : []));
}

/** A type from elsewhere brings its operators along: citext compares otherwise than the text it can be taken for. */
async function hasForeignTypes(session: ReadSession, l: LegacyFragments): Promise<boolean> {
  const { foreign } = await session.one<{ foreign: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       WHERE a.attrelid = ANY ($1::text[]::regclass[]) AND a.attnum > 0 AND t.typnamespace <> 'pg_catalog'::regnamespace) AS foreign`,
    [[l.keys, l.apis, l.accounts]],
  );
  return foreign;
}

/** Whether every expression can be read with the names of pg_catalog. */
async function readsAlone(session: ReadSession, l: LegacyFragments): Promise<boolean> {
  try {
    await onCatalogAlone(session, () => session.query(expressionsInCatalog(l).text));
    return true;
  } catch (error) {
    if (MEANS_NOTHING.test(sqlStateOf(error) ?? '')) return false;
    throw error;
  }
}

export function expressionsInCatalog(l: LegacyFragments): Statement {
  const values = [
    l.id(),
    l.token(),
    l.name(),
    l.createdAt(),
    l.lastUsedAt(),
    l.revokedAt(),
    l.expiresAt(),
    l.api(),
    l.account(),
    l.inStore(),
    l.isPerApiKey(),
    l.hasToken(),
    l.alive(),
  ];
  return {
    title: 'try the expressions with the names of pg_catalog alone',
    text: sql`
      SELECT ${commaList(values)}
      FROM
        ${l.from}
      WHERE false;
      SELECT ${l.slug()}, ${l.accountName()}
      FROM ${l.apis} a, ${l.accounts} o
      WHERE false`,
  };
}
