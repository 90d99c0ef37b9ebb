import { answer as answerOf, type Answer, type Judgement } from '../support/rules.js';
import type { Fault, Ground, Settled } from './ground.js';
import { bySettings, type AccountKeyRow, type KeyRow } from './model.js';
import { compareInstants, later } from './values.js';

const LEGACY = (table: string, archived: boolean): string => `
  select id::text, account_id::text as account, api_id::text as api, name, token, created_at::text as created,
    last_used_at::text as used,
    revoked_at::text as revoked, expires_at::text as expires, ${String(archived)} as archived from ${table}`;

const SETTINGS = `
  select id::text, account_id::text as account, name, token, scope, origin_api_id::text as origin,
    created_at::text as created,
    last_used_at::text as used, revoked_at::text as revoked, expires_at::text as expires
  from public.account_api_keys order by account_id, created_at, public.account_api_keys.id`;

const OUTCOMES = 'select key_id::text as id, outcome, reason, account_key_id::text as into from keylift.outcomes';

const ANSWERS = `
  select p.n::int,
    (select coalesce(json_agg(json_build_object('key_id', f.key_id::text, 'account_id', f.account_id::text, 'source',
      f.source)), '[]')
     from keylift.authorize(p.token, p.api) f) as said,
    (select json_build_object('key_id', v.id::text, 'account_id', v.account_id::text) from keylift.per_api_keys v
     where v.token = p.token and v.api_id = p.api and v.revoked_at is null and (v.expires_at is null
       or v.expires_at > now())
       and exists (select from public.apis known where known.id = v.api_id)
     order by v.created_at, v.id limit 1) as seen
  from unnest($1::text[], $2::bigint[]) with ordinality as p (token, api, n)`;

type FoundKey = KeyRow & { archived: boolean };
type FoundAccountKey = AccountKeyRow & { scope: string; used: string | null };

/** Compares all there is with the model, world by world. `caughtUp`: last use must stand in both tables. */
export async function compare(ground: Ground, { caughtUp }: { caughtUp: boolean }): Promise<void> {
  const {
    migration,
    scenario: { db },
    faults,
  } = ground;
  const archived = migration.state === 'finalized' ? ` union all ${LEGACY('keylift.archived_keys', true)}` : '';
  const legacy = await db.query<FoundKey & Record<string, unknown>>(LEGACY('public.api_keys', false) + archived);
  faults.push(...legacyFaults(ground, legacy));
  if (migration.state === 'none') return;
  const found = await db.query<FoundAccountKey & Record<string, unknown>>(SETTINGS);
  if (migration.complete || migration.state === 'rolled_back') {
    faults.push(...settingsFaults(ground, found));
    if (caughtUp) faults.push(...lastUseFaults(ground, found, legacy));
  }
  if (migration.complete && migration.state === 'active')
    faults.push(...outcomeFaults(ground, await db.query(OUTCOMES)));
  faults.push(...(await answerFaults(ground)));
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Rows by id against what they must be; what nobody knows of is nobody's. */
function rowFaults<Row>(
  what: string,
  expected: readonly { number: number; id: string; row: Row }[],
  found: ReadonlyMap<string, Row>,
): Fault[] {
  const known = new Set(expected.map(({ id }) => id));
  const extra = [...found]
    .filter(([id]) => !known.has(id))
    .map(([id, row]): Fault => ({ world: null, what: `${what} ${id}`, expected: 'nothing', found: row }));
  return [
    ...expected
      .filter(({ id, row }) => !same(row, found.get(id)))
      .map(({ number, id, row }): Fault => ({
        world: number,
        what: `${what} ${id}`,
        expected: row,
        found: found.get(id),
      })),
    ...extra,
  ];
}

function legacyFaults(ground: Ground, rows: readonly FoundKey[]): Fault[] {
  const plain = ({ id, account, api, name, token, created, revoked, expires }: KeyRow, archived: boolean): unknown => [
    id,
    account,
    api,
    name,
    token,
    created,
    revoked,
    expires,
    archived,
  ];
  const expected = ground.each(({ model }) =>
    [...model.keys.values()].map((key) => ({ key, archived: model.frozen?.has(key.id) ?? false })),
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return [
    ...(rows.length === found.size ? [] : [{ world: null, what: 'an id is twice among the per-API keys' }]),
    ...rowFaults(
      'per-API key',
      expected.map(({ number, row: { key, archived } }) => ({ number, id: key.id, row: plain(key, archived) })),
      new Map(rows.map((row) => [row.id, plain(row, row.archived)])),
    ),
    ...ground.worlds.flatMap(({ number, model }) =>
      [...model.keys.values()].flatMap((key): Fault[] => {
        const used = found.get(key.id)?.used ?? null;
        const latest = model.usedInSettings.has(key.id) ? model.latestUse : key.used;
        const within =
          key.used === null
            ? used === null || isBetween(used, null, latest)
            : used !== null && isBetween(used, key.used, latest);
        return within || !found.has(key.id)
          ? []
          : [{ world: number, what: `last use of per-API key ${key.id}`, expected: [key.used, latest], found: used }];
      }),
    ),
  ];
}

const isBetween = (instant: string, from: string | null, to: string | null): boolean =>
  (from === null || compareInstants(from, instant) <= 0) && to !== null && compareInstants(instant, to) <= 0;

/** What Settings lists: every field of every account key, in its order. */
function settingsFaults({ migration, worlds }: Ground, rows: readonly FoundAccountKey[]): Fault[] {
  const plain = (
    { id, account, name, token, origin, created, revoked, expires }: AccountKeyRow,
    scope: string,
  ): unknown => [id, account, name, token, scope, origin, created, revoked, expires];
  const expected = new Map(
    worlds.map(({ number, model }) => [
      number,
      migration.complete ? model.settings(migration.held) : [...model.born.values()].sort(bySettings),
    ]),
  );
  const all = [...expected].flatMap(([number, keys]) =>
    keys.map((row) => ({ number, id: row.id, row: plain(row, 'store_apis') })),
  );
  const inOrder = [...expected].flatMap(([number, keys]): Fault[] => {
    const mine = new Set(keys.map(({ id }) => id));
    const listed = rows.filter(({ id }) => mine.has(id)).map(({ id }) => id);
    const wanted = keys.map(({ id }) => id);
    return listed.length !== wanted.length || same(listed, wanted)
      ? []
      : [{ world: number, what: 'the order of Settings', expected: wanted, found: listed }];
  });
  return [...rowFaults('account key', all, new Map(rows.map((row) => [row.id, plain(row, row.scope)]))), ...inOrder];
}

/** An account key was used when the latest of its rows was. */
function lastUseFaults(
  { migration, worlds }: Ground,
  found: readonly FoundAccountKey[],
  legacy: readonly FoundKey[],
): Fault[] {
  const rows = new Map(legacy.map((row) => [row.id, row]));
  const keys = new Map(found.map((row) => [row.id, row]));
  return worlds.flatMap(({ number, model }) =>
    model
      .settings(migration.held)
      .filter(({ origin, id }) => origin !== null && keys.has(id))
      .flatMap(({ id }): Fault[] => {
        const latest = model
          .group(id, migration.held)
          .map((row) => rows.get(row.id)?.used ?? null)
          .reduce(later, null);
        const used = keys.get(id)!.used;
        return used === latest
          ? []
          : [{ world: number, what: `last use of account key ${id}`, expected: latest, found: used }];
      }),
  );
}

const outcomeOf = (judgement: Judgement): unknown => [
  judgement.outcome,
  'reason' in judgement ? judgement.reason : null,
  'into' in judgement ? judgement.into : null,
];

/** Outcomes that the ledger keeps: all but what moved and what stays. */
function outcomeFaults(
  { migration, worlds }: Ground,
  rows: readonly { id: string; outcome: string; reason: string | null; into: string | null }[],
): Fault[] {
  const expected = worlds.flatMap(({ number, model }) =>
    [...model.judged(migration.held)]
      .filter(([, { outcome }]) => outcome !== 'move' && outcome !== 'stay')
      .map(([id, judgement]) => ({ number, id, row: outcomeOf(judgement) })),
  );
  return rowFaults(
    'outcome of key',
    expected,
    new Map(rows.map(({ id, outcome, reason, into }) => [id, [outcome, reason, into]])),
  );
}

/** Every token of a world × every API it may try, asked of authorize and, as an old gateway asks, of the view. */
async function answerFaults(ground: Ground): Promise<Fault[]> {
  const asked = ground.worlds.flatMap((world) => questionsOf(world, ground));
  const said = await ground.scenario.db.query<{
    n: number;
    said: Answer[];
    seen: { key_id: string; account_id: string | null } | null;
  }>(ANSWERS, [asked.map(({ token }) => token), asked.map(({ api }) => api)]);
  return said.flatMap(({ n, said: answers, seen }): Fault[] => {
    const { number, token, api, expected } = asked[n - 1]!;
    const what = `token ${JSON.stringify(token)} at API ${api}`;
    const viewed = expected && { key_id: expected.key_id, account_id: expected.account_id };
    return [
      ...(same(answers, expected === undefined ? [] : [expected])
        ? []
        : [{ world: number, what: `authorize: ${what}`, expected, found: answers }]),
      ...(same(seen, viewed ?? null)
        ? []
        : [{ world: number, what: `the view: ${what}`, expected: viewed, found: seen }]),
    ];
  });
}

interface Question {
  number: number;
  token: string;
  api: string;
  expected: Answer | undefined;
}

function questionsOf({ number, model, place }: Settled, { migration }: Ground): Question[] {
  const world = model.world();
  const judged = model.judged(migration.held);
  const switched = migration.switched(model.accounts);
  const tokens = new Set(
    [...model.keys.values(), ...model.born.values()]
      .map(({ token }) => token)
      .filter((token) => token !== null && token !== ''),
  );
  const apis = [...model.apis.keys(), place.api('nowhere')!];
  return [...tokens].flatMap((token) =>
    apis.map((api) => ({ number, token: token!, api, expected: answerOf({ world, judged, switched }, token, api) })),
  );
}
