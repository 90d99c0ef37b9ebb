import type { TestDatabase } from './database.js';

/*
 * The rules of the move, read from the contract a second time: in TypeScript, over rows in memory, key by key. Slow and
 * plain on purpose; it shares nothing with keylift.
 */

export interface LegacyKey {
  id: string;
  account: string | null;
  api: string | null;
  token: string | null;
  alive: boolean;
  /** Expiry of a living key, as text. */
  expiry: string | null;
  /** Place by creation date, then id. */
  place: number;
  dated: boolean;
}

export interface World {
  keys: LegacyKey[];
  /** Kind by id. */
  apis: Map<string, 'store' | 'custom'>;
  /**
   * The account that owns each API, where an account opens its own APIs and no other; else there is one store for all.
   */
  owners?: Map<string, string | null>;
  accounts: Set<string>;
  born: { id: string; account: string; token: string; alive: boolean }[];
}

/** Is the API a store API for this account? */
const opensFor = (world: World, api: string, account: string | null): boolean =>
  world.owners === undefined
    ? world.apis.get(api) === 'store'
    : account !== null && world.accounts.has(account) && world.owners.get(api) === account;

export interface HeldIds {
  keyIds: readonly string[];
  accountIds: readonly string[];
}

export const NOBODY_HELD: HeldIds = { keyIds: [], accountIds: [] };

export type Judgement =
  { outcome: 'move' | 'stay' | 'hold' } | { outcome: 'merge'; into: string } | { outcome: 'exception'; reason: string };

export interface Answer {
  key_id: string;
  account_id: string | null;
  source: 'account' | 'per_api';
}

/** Who is answered from Settings: nobody, everybody, or the accounts with these ids. */
export type Switched = 'none' | 'all' | ReadonlySet<string>;

const ALIVE = '(revoked_at is null and (expires_at is null or expires_at > now()))';

/** Reads what the rules are about; `keys` names another table of per-API keys than the legacy one. */
export async function readWorld(
  db: TestDatabase,
  { keys: table = 'public.api_keys', ownApis = false }: { keys?: string; ownApis?: boolean } = {},
): Promise<World> {
  const keys = await db.query<{ place: string } & Omit<LegacyKey, 'place'>>(`
    select id::text, account_id::text as account, api_id::text as api, token, ${ALIVE} as alive,
      expires_at::text as expiry,
      row_number() over (order by created_at, id) as place, created_at is not null as dated
    from ${table} order by id`);
  const apis = await db.query<{ id: string; kind: 'store' | 'custom'; owner: string | null }>(
    'select id::text, kind, owner_account_id::text as owner from public.apis',
  );
  const accounts = await db.query<{ id: string }>('select id::text from public.accounts');
  const [{ there }] = (await db.query<{ there: boolean }>(
    `select to_regclass('public.account_api_keys') is not null as there`,
  )) as [{ there: boolean }];
  const born = there
    ? await db.query<World['born'][number]>(
        `select id::text, account_id::text as account, token, ${ALIVE} as alive from public.account_api_keys
          where origin_api_id is null`,
      )
    : [];
  return {
    keys: keys.map((key) => ({ ...key, place: Number(key.place) })),
    apis: new Map(apis.map(({ id, kind }) => [id, kind])),
    ...(ownApis && { owners: new Map(apis.map(({ id, owner }) => [id, owner])) }),
    accounts: new Set(accounts.map(({ id }) => id)),
    born,
  };
}

/** Rules 1, 7, 8 and 9: every key's outcome. */
export function judge(world: World, held: HeldIds = NOBODY_HELD): Map<string, Judgement> {
  const alone = new Map(world.keys.map((key) => [key.id, byItself(world, key)]));
  const named = (key: LegacyKey): boolean =>
    held.keyIds.includes(key.id) || (key.account !== null && held.accountIds.includes(key.account));
  const holding = new Set(world.keys.filter(named).map((key) => JSON.stringify([key.token, key.account])));
  return new Map(
    world.keys.map((key) => {
      const judgement = alone.get(key.id);
      if (judgement !== undefined) return [key.id, judgement];
      if (holding.has(JSON.stringify([key.token, key.account]))) return [key.id, { outcome: 'hold' }];
      if (world.born.some((born) => born.token === key.token))
        return [key.id, { outcome: 'exception', reason: 'shared_token' }];
      return [
        key.id,
        amongTwins(
          key,
          world.keys.filter((other) => other.token === key.token && alone.get(other.id) === undefined),
        ),
      ];
    }),
  );
}

function byItself(world: World, key: LegacyKey): Judgement | undefined {
  const kind = key.api === null ? undefined : world.apis.get(key.api);
  const exception = (reason: string): Judgement => ({ outcome: 'exception', reason });
  if (kind === undefined) return exception('missing_api');
  // Without its account nothing says whether the API is one of the account's own.
  const unknown = world.owners !== undefined && (key.account === null || !world.accounts.has(key.account));
  if (!unknown && !opensFor(world, key.api!, key.account)) return { outcome: 'stay' };
  if (key.account === null || !world.accounts.has(key.account)) return exception('missing_account');
  if (key.token === null || key.token === '') return exception('missing_token');
  return key.dated ? undefined : exception('missing_created_at');
}

function amongTwins(key: LegacyKey, twins: readonly LegacyKey[]): Judgement {
  const lives = new Set(twins.map((twin) => (twin.alive ? `until ${twin.expiry ?? 'ever'}` : 'dead')));
  if (twins.some((twin) => twin.account !== key.account)) return { outcome: 'exception', reason: 'shared_token' };
  if (lives.size > 1) return { outcome: 'exception', reason: 'conflicting_status' };
  const first = twins.reduce((a, b) => (a.place < b.place ? a : b));
  return first.id === key.id ? { outcome: 'move' } : { outcome: 'merge', into: first.id };
}

/** The living per-API key that opened this API for this token before: of several, the earliest. */
export function oldRule(world: World, token: string | null, api: string): LegacyKey | undefined {
  if (token === null || token === '' || !world.apis.has(api)) return undefined;
  return world.keys
    .filter((key) => key.token === token && key.api === api && key.alive)
    .sort((a, b) => a.place - b.place)[0];
}

/** What `keylift.authorize` must answer. */
export function answer(
  { world, judged, switched }: { world: World; judged: Map<string, Judgement>; switched: Switched },
  token: string | null,
  api: string,
): Answer | undefined {
  const moved = (key: LegacyKey): boolean => {
    const outcome = judged.get(key.id)?.outcome;
    const isSwitched = switched === 'all' || (switched !== 'none' && switched.has(key.account ?? ''));
    return isSwitched && (outcome === 'move' || outcome === 'merge');
  };
  const before = oldRule(world, token, api);
  if (before !== undefined && !(opensFor(world, api, before.account) && moved(before)))
    return { key_id: before.id, account_id: before.account, source: 'per_api' };
  if (!world.apis.has(api) || token === null || token === '') return undefined;
  const opened = (key: { token: string | null; alive: boolean; account: string | null }): boolean =>
    key.token === token && key.alive && opensFor(world, api, key.account);
  const keeper =
    world.keys.find((key) => opened(key) && moved(key) && judged.get(key.id)?.outcome === 'move') ??
    world.born.find(opened);
  return keeper && { key_id: keeper.id, account_id: keeper.account, source: 'account' };
}

/** The pairs (token of a living moved key, store API) that the old rule kept shut. */
export const predictedGain = (world: World, held: HeldIds = NOBODY_HELD): number => gainOf(world, judge(world, held));

/** The same for outcomes that are known already. */
export function gainOf(world: World, judged: Map<string, Judgement>): number {
  const widened = world.keys.filter((key) => key.alive && judged.get(key.id)?.outcome === 'move');
  return widened.flatMap(({ token, account }) =>
    [...world.apis.keys()].filter((api) => opensFor(world, api, account) && oldRule(world, token, api) === undefined),
  ).length;
}
