import type { ReadSession } from '../database/session.js';
import { sql } from '../database/sql.js';
import { grouped } from '../format.js';
import { withApi, type LegacyFragments } from '../mapping/fragments.js';
import type { MappedSchema } from '../mapping/inspect.js';
import { gate, type Finding } from './finding.js';

/*
 * A key of a project must not open the projects of other customers. The rows show such a schema: nearly every store API
 * has keys of one account alone. There the mapping must say which APIs an account's keys open, or the operator must say
 * that every account may open every store API.
 */

/** Fewer store APIs with keys do not show whose they are. */
const LEAST_APIS = 20;
/** A platform is of this kind when of this share of its store APIs all keys belong to one account. */
const SHARE_OF_ONE_ACCOUNT = 0.95;
/** Where `inStore` looks at the account, at most this many pairs of an API and an account are evaluated. */
const MOST_PAIRS = 5_000_000;
const LEAST_LOOKED_AT = 100;

/** What `apisOfOneAccount` answers. */
interface Counts {
  /** Store APIs that have keys. */
  apis: number;
  /** Those among them whose keys all belong to one account, and the number of these accounts. */
  owned: number;
  owners: number;
  /** Owned APIs that were compared with all accounts, and those that the keys of another account would open. */
  lookedAt: number;
  openedByOthers: number;
}

/**
 * Counts the store APIs that have keys, and those whose keys all belong to one account. Where there are few APIs, no
 * key is read.
 */
export const apisOfOneAccount = (l: LegacyFragments): string => sql`
  /* counting the store APIs whose keys belong to one account */
  WITH asked AS MATERIALIZED (
    SELECT DISTINCT ${l.apiId()} AS api_id, ${l.account()} AS account_id
    FROM
      ${withApi(l)}
    WHERE ${l.isPerApiKey()}
      AND ${l.inStore()}
      AND ${l.account()} IS NOT NULL
      AND (SELECT count(*) FROM (SELECT FROM ${l.apis} a LIMIT ${LEAST_APIS}) some_apis) = ${LEAST_APIS}
  ), by_api AS MATERIALIZED (
    SELECT api_id, count(*) = 1 AS owned
    FROM asked
    GROUP BY api_id
  ), owned AS MATERIALIZED (
    SELECT api_id, account_id
    FROM asked
    WHERE api_id IN (SELECT api_id FROM by_api WHERE owned)
  )
  ${l.apiNeedsAccount ? comparedWithAccounts(l) : ''}
  SELECT (SELECT count(*) FROM by_api) AS apis,
    (SELECT count(*) FROM owned) AS owned,
    (SELECT count(DISTINCT account_id) FROM owned) AS owners,
    ${
      l.apiNeedsAccount
        ? `(SELECT count(*) FROM looked_at) AS looked_at, (SELECT count(*) FROM opened_by_others) AS opened_by_others`
        : `(SELECT count(*) FROM owned) AS looked_at, (SELECT count(*) FROM owned) AS opened_by_others`
    }`;

/** The condition may be any SQL over both tables, so the number of pairs is bounded. */
const comparedWithAccounts = (l: LegacyFragments): string => sql`
  , looked_at AS MATERIALIZED (
    SELECT api_id, account_id
    FROM owned
    ORDER BY sha256(convert_to(api_id::text, 'UTF8'))
    LIMIT (
      SELECT greatest(${LEAST_LOOKED_AT}, ${MOST_PAIRS} / greatest(count(*), 1))
      FROM ${l.accounts} o
    )
  ), opened_by_others AS (
    SELECT
    FROM looked_at x
    WHERE EXISTS (
      SELECT
      FROM ${l.apis} a
        JOIN ${l.accounts} o ON ${l.opens()}
      WHERE ${l.apiId()} = x.api_id AND ${l.accountId()} <> x.account_id
    )
  )`;

/** A gate where account keys would open APIs of other accounts, and the configuration does not say that they may. */
export async function foreignApis(session: ReadSession, { legacy: l, settings }: MappedSchema): Promise<Finding[]> {
  if (settings.legacy.apis.shared === true) return [];
  const counts = await count(session, l);
  return opensForeignApis(counts) ? [findingOf(counts, l)] : [];
}

async function count(session: ReadSession, l: LegacyFragments): Promise<Counts> {
  await session.query(`SET LOCAL work_mem = '64MB'`);
  const row = await session.one<Record<string, string>>(apisOfOneAccount(l));
  await session.query('SET LOCAL work_mem TO DEFAULT');
  return {
    apis: Number(row.apis),
    owned: Number(row.owned),
    owners: Number(row.owners),
    lookedAt: Number(row.looked_at),
    openedByOthers: Number(row.opened_by_others),
  };
}

const opensForeignApis = ({ apis, owned, owners, openedByOthers }: Counts): boolean =>
  apis >= LEAST_APIS && owned >= SHARE_OF_ONE_ACCOUNT * apis && owners > 1 && openedByOthers > 0;

function findingOf(counts: Counts, { apiNeedsAccount }: LegacyFragments): Finding {
  const { apis, owned, owners, lookedAt, openedByOthers } = counts;
  const share = Math.floor((owned / apis) * 1000) / 10;
  return gate('foreign_apis', wayOut(apiNeedsAccount), {
    kind: 'scope',
    object: 'legacy.apis.inStore',
    fact:
      `of ${grouped(apis)} store APIs with keys, ${grouped(owned)} (${String(share)}%) have keys of one account only; ` +
      `they belong to ${grouped(owners)} accounts`,
    meets: apiNeedsAccount
      ? `of ${grouped(lookedAt)} of these APIs compared with every account, ${grouped(openedByOthers)} would open for ` +
        'the account keys of another account; no per-API key opens them now'
      : 'an account key opens every store API, so the keys of each of these accounts would open the APIs of all the ' +
        'others; no per-API key does that now',
    phases: ['expand', 'switch'],
  });
}

const wayOut = (apiNeedsAccount: boolean): string => {
  const correct = apiNeedsAccount
    ? 'correct inStore, so that an account opens its own APIs only'
    : 'let inStore compare the API (a) with the account that asks (o), such as { "sql": "a.organization_id = o.id" }';
  return `${correct}; or, if accounts may open these APIs of each other, set "shared": true in legacy.apis`;
};
