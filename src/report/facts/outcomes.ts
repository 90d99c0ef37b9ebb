import type { ReadSession } from '../../database/session.js';
import { aliveExpression } from '../../mapping/fragments.js';
import type { ApiOutcomes, Chronicle, Fate, Origin, StoreApi } from './document.js';
import type { Ground } from './ground.js';

/** Where a key was made; custom APIs, of which a platform may have as many as customers, are one. */
const origin = (apiId: string, inStore: string): string =>
  `CASE WHEN ${apiId} IS NULL THEN 'missing' WHEN ${inStore} THEN 'store' ELSE 'custom' END`;

/**
 * Every per-API key once: account keys by the API they were made in, what the ledger set aside, and all others, which
 * stay or are still to come. One row for each origin, outcome, reason and life.
 */
export function countByApi({ schema: { legacy: l }, target }: Ground): string {
  const place = `${origin(l.apiId(), l.inStore())} AS origin, CASE WHEN ${l.inStore()} THEN ${l.apiId()} END AS api_id, CASE WHEN ${l.inStore()} THEN ${l.slug()}::text END AS slug`;
  const living = aliveExpression('t.revoked_at', 't.expires_at', l.now);
  const moved = `
      SELECT ${place}, 'move' AS outcome, NULL AS reason, ${living} AS alive
      FROM ${l.target} t LEFT JOIN ${l.apis} a ON ${l.apiId()} = t.origin_api_id LEFT JOIN ${l.accounts} o ON ${l.accountId()} = t.account_id
      WHERE t.origin_api_id IS NOT NULL UNION ALL`;
  return `
    SELECT origin, api_id::text AS api_id, slug, outcome, reason, alive, count(*) AS keys
    FROM (${target ? moved : ''}
      SELECT ${place}, x.outcome, x.reason, ${target ? `CASE WHEN x.outcome = 'merge' THEN ${living} ELSE ${l.alive()} END` : l.alive()}
      FROM keylift.outcomes x LEFT JOIN ${l.keys} k ON ${l.id()} = x.key_id AND ${l.isPerApiKey()}
        LEFT JOIN ${l.apis} a ON ${l.apiId()} = CASE WHEN ${l.id()} IS NULL THEN x.opened_api_id ELSE ${l.api()} END
        LEFT JOIN ${l.accounts} o ON ${l.accountId()} = ${l.account()}
        ${target ? `LEFT JOIN ${l.target} t ON t.id = x.account_key_id` : ''}
      UNION ALL
      SELECT ${place}, CASE WHEN ${l.apiId()} IS NOT NULL AND NOT ${l.inStore()} THEN 'stay' ELSE 'to_come' END, NULL, ${l.alive()}
      FROM ${l.from}
      WHERE ${l.isPerApiKey()} AND NOT EXISTS (SELECT FROM keylift.outcomes x WHERE x.key_id = ${l.id()})
        ${target ? `AND NOT EXISTS (SELECT FROM ${l.target} t WHERE t.id = ${l.id()} AND t.origin_api_id IS NOT NULL)` : ''}
    ) each_key
    GROUP BY 1, each_key.api_id, 3, 4, 5, 6`;
}

/** The store's APIs by name. */
export const storeApis = ({ schema: { legacy: l } }: Ground): string => `
    SELECT ${l.apiId()}::text AS api_id, ${l.slug()}::text AS slug FROM ${l.apis} a WHERE ${l.inStore()} ORDER BY ${l.slug()}::text COLLATE "C", ${l.apiId()}`;

/** Keys made in Settings. */
export const countBorn = ({ schema: { legacy: l } }: Ground): string => `
    SELECT count(*) AS keys, count(*) FILTER (WHERE ${aliveExpression('t.revoked_at', 't.expires_at', l.now)}) AS alive
    FROM ${l.target} t WHERE t.origin_api_id IS NULL`;

interface CountedRow {
  origin: Origin;
  api_id: string | null;
  slug: string | null;
  outcome: Fate;
  reason: string | null;
  alive: boolean | null;
  keys: string;
}

const none = (): Record<Fate, number> => ({ move: 0, merge: 0, stay: 0, hold: 0, exception: 0, to_come: 0 });

/** Counts by API, the store's APIs with the most keys first, then custom ones, then keys whose API is gone. */
export function gather(rows: readonly CountedRow[]): ApiOutcomes[] {
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
  const places: Origin[] = ['store', 'custom', 'missing'];
  const size = (api: ApiOutcomes): number => Object.values(api.keys).reduce((sum, n) => sum + n, 0);
  return [...apis.values()].sort(
    (a, b) =>
      places.indexOf(a.origin) - places.indexOf(b.origin) ||
      size(b) - size(a) ||
      ((a.slug ?? '') < (b.slug ?? '') ? -1 : 1),
  );
}

/** What became of every key. */
export async function readOutcomes(
  session: ReadSession,
  ground: Ground,
): Promise<Pick<Chronicle, 'apis' | 'store_apis' | 'born_in_settings'>> {
  const { rows } = await session.query<CountedRow>(countByApi(ground));
  const born = ground.target
    ? await session.one<{ keys: string; alive: string }>(countBorn(ground))
    : { keys: '0', alive: '0' };
  return {
    apis: gather(rows),
    store_apis: (await session.query<StoreApi>(storeApis(ground))).rows,
    born_in_settings: { keys: Number(born.keys), alive: Number(born.alive) },
  };
}
