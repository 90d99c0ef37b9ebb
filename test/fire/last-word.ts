import { expect } from 'chai';
import type { TestDatabase } from '../support/database.js';
import { assertInvariants } from '../support/invariants.js';
import { answer, judge, readWorld, type HeldIds, type Judgement, type Switched, type World } from '../support/rules.js';
import type { Scenario } from '../support/scenario.js';
import type { Lane } from './lane.js';
import { EXPECTED } from './platform.js';

export interface Standing {
  switched: Switched;
  held: HeldIds;
}

interface Proof {
  ok: boolean;
  differences: unknown[];
  authorization: Record<string, number>;
}

/** Asked here in another way: of twins the platform cannot tell when which was used last. */
const LAST_USE = [
  'an account key was used when the latest of its rows was',
  'a merged key has its account key, of one token and account, and is remembered whole',
];
/** From finalize on, what was left behind stays a per-API key, whatever the platform does to it. */
const LEFT_BEHIND = ['a source row is accounted for once'];

/**
 * The migration stands, and is right by keylift's proof and, without keylift, by the invariants, the rows and the
 * model.
 */
export async function assertStands(lane: Lane, scenario: Scenario, standing: Standing): Promise<number> {
  const { exitCode, stdout, stderr } = await lane.run(scenario, 'verify --json');
  expect([0, 4], stderr).to.include(exitCode);
  const proof = JSON.parse(stdout) as Proof;
  expect([proof.ok, proof.differences], stdout).to.deep.equal([true, []]);
  expect(proof.authorization).to.include({ lost: 0, gained_custom: 0, gained_foreign: 0, revived: 0 });
  const [{ state }] = (await scenario.db.query<{ state: string }>('select state from keylift.migration')) as [
    { state: string },
  ];
  const final = state === 'finalized' || state === 'purged';
  await assertInvariants(scenario.db, { keys: EXPECTED, except: [...LAST_USE, ...(final ? LEFT_BEHIND : [])] });
  await assertMerged(scenario.db, { purged: state === 'purged' });
  if (state !== 'purged') await assertRows(scenario.db);
  return assertAnswers(scenario.db, { ...standing, final });
}

/** Everything is as if keylift had never been there, but for what the platform did meanwhile. */
export async function assertTakenBack(lane: Lane, scenario: Scenario, held: HeldIds): Promise<number> {
  const { db } = scenario;
  await assertRows(db);
  const left = await db.query<{ what: string }>(`
    select 'trigger ' || tgname as what from pg_trigger where tgrelid = 'public.api_keys'::regclass
      and tgname like 'keylift%'
    union all select 'index ' || indexrelid::regclass::text from pg_index where indrelid = 'public.api_keys'::regclass
      and indexrelid::regclass::text like '%keylift%'
    union all select 'archive' where to_regclass('keylift.archived_keys') is not null`);
  expect(left).to.deep.equal([]);
  if (await hasTarget(db)) {
    expect(await db.query('select id from public.account_api_keys where origin_api_id is not null')).to.deep.equal([]);
    // Keys born in Settings go on, and draw their ids.
    expect(
      await db.query(
        `select tgname from pg_trigger where tgrelid = 'public.account_api_keys'::regclass and tgname like 'keylift%'`,
      ),
    ).to.deep.equal([{ tgname: 'keylift_draw_key_id' }]);
  }
  const again = await lane.run(scenario, 'rollback --yes --json');
  expect([again.exitCode, again.json<{ rolled_back: boolean }>().rolled_back], again.stderr).to.deep.equal([0, false]);
  return assertAnswers(db, { switched: 'none', held });
}

/** Every row of the platform's is there as the platform left it, in its table or in the archive, and no other is. */
async function assertRows(db: TestDatabase): Promise<void> {
  const [{ archive }] = (await db.query<{ archive: boolean }>(
    `select to_regclass('keylift.archived_keys') is not null as archive`,
  )) as [{ archive: boolean }];
  const found = `(select ${ROW} as row
    from public.api_keys k ${archive ? `union all select ${ROW} from keylift.archived_keys k` : ''})`;
  const expected = `(select ${ROW} as row from ${EXPECTED} k)`;
  const [missing, extra] = [
    await db.query(`${expected} except all ${found}`),
    await db.query(`${found} except all ${expected}`),
  ];
  expect({ missing, extra }).to.deep.equal({ missing: [], extra: [] });
  if (!(await hasTarget(db))) return;
  const born = await db.query(`
    select coalesce(t.id, b.id)::text as id, b.id is null as unknown from public.expected_born b
    full join (select id from public.account_api_keys where origin_api_id is null) t on t.id = b.id
      where t.id is null or b.id is null`);
  expect(born, 'keys born in Settings').to.deep.equal([]);
}

/** A row as text. Of twins, without last use. */
const ROW = `(to_jsonb(k) || jsonb_build_object('last_used_at', case when k.id not in (select id
  from public.expected_twins) then k.last_used_at end))::text`;

/** Last use, and the column that a story adds after the ledger kept merged rows: the archive has it. */
const ASIDE = `array['last_used_at', 'added']`;

/**
 * A merged row is kept whole, but for last use, which changes at every call; and an account key of one row was used
 * when it was.
 */
async function assertMerged(db: TestDatabase, { purged }: { purged: boolean }): Promise<void> {
  const merged = await db.query(`
    select x.key_id, x.source, to_jsonb(k) as row from keylift.outcomes x join ${EXPECTED} k on k.id = x.key_id left
      join public.account_api_keys t on t.id = x.account_key_id
    where x.outcome = 'merge' and not coalesce(t.token = k.token and t.account_id = k.account_id and (${String(purged)}
      or x.source::jsonb - ${ASIDE} = to_jsonb(k) - ${ASIDE}), false)`);
  expect(merged, 'merged keys').to.deep.equal([]);
  const used = await db.query(`
    select t.id, t.last_used_at, k.last_used_at as expected from public.account_api_keys t
      join ${EXPECTED} k on k.id = t.id
    where t.origin_api_id is not null and t.last_used_at is distinct from k.last_used_at and t.id not in (select id
      from public.expected_twins)`);
  expect(used, 'last use').to.deep.equal([]);
}

const hasTarget = async (db: TestDatabase): Promise<boolean> =>
  (await db.query(`select from (select to_regclass('public.account_api_keys') as t) f where t is not null`)).length > 0;

/** Asks `keylift.authorize` for every token × every API, and compares with the model. @returns pairs compared */
async function assertAnswers(
  db: TestDatabase,
  { switched, held, final = false }: Standing & { final?: boolean },
): Promise<number> {
  if (
    (await db.query(`select from pg_proc where proname = 'authorize' and pronamespace = to_regnamespace('keylift')`))
      .length === 0
  )
    return 0;
  const world = await readWorld(db, { keys: EXPECTED });
  const judged = final ? await judgedByPlace(db, world) : judge(world, held);
  const tokens = [
    ...new Set([...world.keys, ...world.born].map(({ token }) => token).filter((token) => token !== '')),
    'nobody has this one',
  ];
  const asked = await db.query<{ token: string | null; api: string; said: unknown }>(
    `
    select t.token, a.api, (select json_build_object('key_id', f.key_id::text, 'account_id', f.account_id::text,
      'source', f.source) from keylift.authorize(t.token, a.api::bigint) f) as said
    from unnest($1::text[]) t (token) cross join unnest($2::text[]) a (api)`,
    [tokens, [...world.apis.keys(), '987654321']],
  );
  const wrong = asked.flatMap(({ token, api, said }) => {
    const wanted = answer({ world, judged, switched }, token, api) ?? null;
    return JSON.stringify(said) === JSON.stringify(wanted) ? [] : [{ token, api, wanted, said }];
  });
  expect(wrong, `of ${String(asked.length)} pairs`).to.deep.equal([]);
  return asked.length;
}

/**
 * From finalize on a key's place decides: in the archive it was moved or merged, in the legacy table it answers for
 * itself.
 */
async function judgedByPlace(db: TestDatabase, world: World): Promise<Map<string, Judgement>> {
  const legacy = new Set((await db.query<{ id: string }>('select id::text from public.api_keys')).map(({ id }) => id));
  const target = await db.query<{ id: string; token: string }>(
    'select id::text, token from public.account_api_keys where origin_api_id is not null',
  );
  const keepers = new Map(target.map(({ id, token }) => [token, id]));
  return new Map(
    world.keys.map(({ id, token }): [string, Judgement] => {
      const into = keepers.get(token ?? '');
      if (legacy.has(id) || into === undefined) return [id, { outcome: 'stay' }];
      return [id, into === id ? { outcome: 'move' } : { outcome: 'merge', into }];
    }),
  );
}
