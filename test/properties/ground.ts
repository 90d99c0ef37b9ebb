import type { TestDatabase } from '../support/database.js';
import { Scenario } from '../support/scenario.js';
import type { WorldDraw, WriteDraw } from './draws.js';
import { ModelMigration } from './migration.js';
import { ModelWorld, type KeyRow } from './model.js';
import { Place } from './place.js';
import { later } from './values.js';
import { deedOf, type Deed } from './writes.js';

/** Something that is not as the model says; `world`: whose it is, where it is somebody's. */
export interface Fault {
  world: number | null;
  what: string;
  expected?: unknown;
  found?: unknown;
}

/** A drawn world, where it lives, and what the model says of it. */
export interface Settled {
  number: number;
  draw: WorldDraw;
  place: Place;
  model: ModelWorld;
}

/** Worlds side by side in one database, each with the model of its own, and one migration for all of them. */
export class Ground {
  readonly migration = new ModelMigration();
  readonly faults: Fault[] = [];

  private constructor(
    readonly scenario: Scenario,
    readonly worlds: readonly Settled[],
  ) {}

  static async open({
    storeApis,
    worlds,
  }: {
    storeApis: number;
    worlds: ReadonlyMap<number, WorldDraw>;
  }): Promise<Ground> {
    const settled = [...worlds].map(([number, draw]) => settle(number, draw, storeApis));
    const scenario = await Scenario.open();
    const ground = new Ground(scenario, settled);
    await plant(scenario.db, settled, storeApis);
    return ground;
  }

  close(): Promise<void> {
    return this.scenario.close();
  }

  /** Every world's row of one kind, with the world it belongs to. */
  each<Row>(rows: (world: Settled) => Iterable<Row>): { number: number; row: Row }[] {
    return this.worlds.flatMap((world) => [...rows(world)].map((row) => ({ number: world.number, row })));
  }

  /** Makes one write of the platform and looks that it ended as the model says. */
  async write(world: Settled, write: WriteDraw): Promise<void> {
    const deed = deedOf(write, { ...world, migration: this.migration });
    if (deed === undefined) return;
    const end = await this.make(deed);
    const what = `${write.kind}: ${deed.sql.replace(/\s+/g, ' ')} ${JSON.stringify(deed.values)}`;
    if (typeof end === 'string') {
      if (!deed.refused.includes(end))
        this.faults.push({ world: world.number, what, expected: deed.refused, found: end });
      return;
    }
    const ids = end.map(({ id }) => id);
    if (deed.refused.length > 0) this.faults.push({ world: world.number, what, expected: deed.refused, found: 'done' });
    else if (deed.touches !== null && ids.sort().join() !== [...deed.touches].sort().join())
      this.faults.push({ world: world.number, what, expected: deed.touches, found: ids });
    else if (ids.length > 0) deed.effect(end);
    noteTwins(world.model);
  }

  /** What a statement returned, or its SQLSTATE. A deadlock's victim runs it again, as a platform does. */
  private async make(deed: Deed): Promise<{ id: string; created?: string }[] | string> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await this.scenario.db.query<{ id: string; created?: string }>(deed.sql, deed.values);
      } catch (error) {
        const { code } = error as { code?: string };
        if (code === undefined) throw error;
        if (code !== '40P01' || tries === 5) return code;
      }
    }
  }
}

/** A use may come to any key that shares a token with the one it was written to. */
function noteTwins(model: ModelWorld): void {
  const byToken = new Map<string | null, string[]>();
  for (const { id, token } of model.keys.values()) byToken.set(token, [...(byToken.get(token) ?? []), id]);
  for (const ids of byToken.values()) if (ids.length > 1) for (const id of ids) model.usedInSettings.add(id);
}

function settle(number: number, draw: WorldDraw, storeApis: number): Settled {
  const place = new Place(number, draw, storeApis);
  const model = new ModelWorld();
  for (const account of place.accounts) model.accounts.add(account);
  for (let api = 1; api <= storeApis; api += 1) model.apis.set(String(api), 'store');
  for (const { id } of place.customs) model.apis.set(id, 'custom');
  for (const row of place.keys(draw.keys)) {
    model.keys.set(row.id, row);
    model.latestUse = later(model.latestUse, row.used);
  }
  noteTwins(model);
  return { number, draw, place, model };
}

async function plant(db: TestDatabase, worlds: readonly Settled[], storeApis: number): Promise<void> {
  const keys = worlds.flatMap(({ model }) => [...model.keys.values()]);
  const column = (name: keyof KeyRow): (string | null)[] => keys.map((key) => key[name]);
  await db.query(
    `insert into public.accounts (id, kind, name) select id, 'organization', 'account ' || id
      from unnest($1::bigint[]) id`,
    [worlds.flatMap(({ place }) => place.accounts)],
  );
  const customs = worlds.flatMap(({ place }) => place.customs);
  await db.query(
    `
    insert into public.apis (id, owner_account_id, slug, name, kind)
      select n, null::bigint, 'store-' || n, 'Store ' || n, 'store' from generate_series(1, $1::int) n
      union all select id, owner, 'custom-' || id, 'Custom ' || id, 'custom'
        from unnest($2::bigint[], $3::bigint[]) as given (id, owner)`,
    [storeApis, customs.map(({ id }) => id), customs.map(({ owner }) => owner)],
  );
  await db.query(
    `insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at, expires_at)
     select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::timestamptz[],
       $7::timestamptz[], $8::timestamptz[], $9::timestamptz[])`,
    (['id', 'account', 'api', 'name', 'token', 'created', 'used', 'revoked', 'expires'] as const).map(column),
  );
  await db.query(
    `select setval(pg_get_serial_sequence('public.api_keys', 'id'), greatest(coalesce(max(id), 0), 0) + 1, false)
      from public.api_keys`,
  );
}
