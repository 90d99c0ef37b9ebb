import type { ReadSession } from '../../database/session.js';
import { sql } from '../../database/sql.js';
import { aliveExpression } from '../../mapping/fragments.js';
import { apisByAccount } from '../../mapping/store.js';
import type { ApiOutcomes, Origin, OwnApis, ReportFacts, ReportOutcome, StoreApi } from './document.js';
import type { Sources } from './sources.js';

/** Numbers of APIs that a report tells apart. */
const MOST_SIZES = 100;

/**
 * The API that a key was created in. Custom APIs are counted together: a platform may have one for each account. So are
 * store APIs where each account has its own.
 */
const originApi = ({ apiId, inStore, outOfStore, slug, apiNeedsAccount }: Sources['schema']['legacy']): string => sql`
  CASE WHEN ${apiId()} IS NULL THEN 'missing' WHEN ${outOfStore} THEN 'custom' ELSE 'store' END AS origin,
  ${
    apiNeedsAccount
      ? 'NULL::text AS api_id, NULL::text AS slug'
      : sql`
          CASE WHEN ${inStore()} THEN ${apiId()} END AS api_id,
          CASE WHEN ${inStore()} THEN ${slug()}::text END AS slug`
  }`;

/**
 * Every per-API key once: account keys by the API they were created in, then the keys with an outcome in the ledger,
 * then all others, which stay or are still to come. One row for each origin, API, outcome, reason and life.
 */
function countByApi({ schema: { legacy: l }, target }: Sources): string {
  const aliveInTarget = aliveExpression('t.revoked_at', 't.expires_at', l.now);
  const moved = sql`
    SELECT ${originApi(l)},
      'move' AS outcome, NULL AS reason, ${aliveInTarget} AS alive
    FROM ${l.target} t
      LEFT JOIN ${l.apis} a ON ${l.apiId()} = t.origin_api_id
      LEFT JOIN ${l.accounts} o ON ${l.accountId()} = t.account_id
    WHERE t.origin_api_id IS NOT NULL
    UNION ALL`;
  const noAccountKey = `NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)`;
  const alive = target ? `CASE WHEN x.outcome = 'merge' THEN ${aliveInTarget} ELSE ${l.alive()} END` : l.alive();
  return sql`
    SELECT origin, api_id::text AS api_id, slug, outcome, reason, alive, count(*) AS keys
    FROM (
      ${target ? moved : ''}
      SELECT ${originApi(l)},
        x.outcome, x.reason, ${alive}
      FROM keylift.outcomes x
        LEFT JOIN ${l.keys} k ON ${l.id()} = x.key_id AND ${l.isPerApiKey()}
        LEFT JOIN ${l.apis} a
          ON ${l.apiId()} = CASE WHEN ${l.id()} IS NULL THEN x.opened_api_id ELSE ${l.api()} END
        LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
        ${target ? `LEFT JOIN ${l.target} t ON t.id = x.account_key_id` : ''}
      UNION ALL
      SELECT ${originApi(l)},
        CASE WHEN ${l.apiId()} IS NOT NULL AND ${l.outOfStore} THEN 'stay' ELSE 'to_come' END, NULL, ${l.alive()}
      FROM ${l.from}
      WHERE ${l.isPerApiKey()}
        AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
        ${target ? `AND ${noAccountKey}` : ''}
    ) each_key
    GROUP BY 1, each_key.api_id, 3, 4, 5, 6`;
}

/** The store's APIs by slug. */
const storeApis = ({ schema: { legacy: l } }: Sources): string => sql`
  SELECT ${l.apiId()}::text AS api_id, ${l.slug()}::text AS slug
  FROM ${l.apis} a
  WHERE ${l.inStore()}
  ORDER BY ${l.slug()}::text COLLATE "C", ${l.apiId()}`;

/** Living account keys, native keys too, by the number of APIs that their account opens. */
const ownApis = ({ schema: { legacy: l } }: Sources): string => sql`
  SELECT coalesce(store.apis, 0)::int AS apis, count(DISTINCT t.account_id)::int AS accounts, count(*)::int AS keys
  FROM ${l.target} t
    LEFT JOIN (
      ${apisByAccount(l)}
    ) store ON store.account_id = t.account_id
  WHERE ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}
  GROUP BY 1
  ORDER BY keys DESC, apis
  LIMIT ${MOST_SIZES}`;

/** Native keys. */
const countNative = ({ schema: { legacy: l } }: Sources): string => sql`
  SELECT count(*) AS keys,
    count(*) FILTER (WHERE ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}) AS alive
  FROM ${l.target} t
  WHERE t.origin_api_id IS NULL`;

interface CountedRow {
  origin: Origin;
  api_id: string | null;
  slug: string | null;
  outcome: ReportOutcome;
  reason: string | null;
  alive: boolean | null;
  keys: string;
}

const none = (): Record<ReportOutcome, number> => ({ move: 0, merge: 0, stay: 0, hold: 0, exception: 0, to_come: 0 });

/** Counts by API: the store's APIs with the most keys first, then custom APIs, then keys whose API is missing. */
function gather(rows: readonly CountedRow[]): ApiOutcomes[] {
  const apis = new Map<string, ApiOutcomes>();
  for (const row of rows) {
    const id = `${row.origin} ${row.api_id ?? ''}`;
    const api = apis.get(id) ?? {
      origin: row.origin,
      api_id: row.api_id,
      slug: row.slug,
      keys: none(),
      alive: none(),
      exceptions_by_reason: {},
    };
    apis.set(id, api);
    const keys = Number(row.keys);
    api.keys[row.outcome] += keys;
    if (row.alive === true) api.alive[row.outcome] += keys;
    if (row.reason !== null) api.exceptions_by_reason[row.reason] = (api.exceptions_by_reason[row.reason] ?? 0) + keys;
  }
  return [...apis.values()].sort(byOriginAndSize);
}

const ORIGINS: readonly Origin[] = ['store', 'custom', 'missing'];
const sizeOf = ({ keys }: ApiOutcomes): number => Object.values(keys).reduce((sum, n) => sum + n, 0);

const byOriginAndSize = (a: ApiOutcomes, b: ApiOutcomes): number =>
  ORIGINS.indexOf(a.origin) - ORIGINS.indexOf(b.origin) ||
  sizeOf(b) - sizeOf(a) ||
  ((a.slug ?? '') < (b.slug ?? '') ? -1 : 1);

/** The outcomes of all per-API keys, the store's APIs, and the number of native keys. */
export async function readOutcomes(
  session: ReadSession,
  sources: Sources,
): Promise<Pick<ReportFacts, 'apis' | 'store_apis' | 'own_apis' | 'born_in_settings'>> {
  const { apiNeedsAccount } = sources.schema.legacy;
  const { rows } = await session.query<CountedRow>(countByApi(sources));
  const native = sources.target
    ? await session.one<{ keys: string; alive: string }>(countNative(sources))
    : { keys: '0', alive: '0' };
  return {
    apis: gather(rows),
    store_apis: apiNeedsAccount ? [] : (await session.query<StoreApi>(storeApis(sources))).rows,
    ...(apiNeedsAccount && { own_apis: sources.target ? (await session.query<OwnApis>(ownApis(sources))).rows : [] }),
    born_in_settings: { keys: Number(native.keys), alive: Number(native.alive) },
  };
}
