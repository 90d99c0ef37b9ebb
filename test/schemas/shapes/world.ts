import { expect } from 'chai';
import { parseTableName, quoteIdentifier, quoteTable } from '../../../src/config/identifiers.js';
import { MOTLEY } from '../../support/motley.js';
import { answer, judge, type Answer, type Switched, type World } from '../../support/rules.js';
import { Scenario } from '../../support/scenario.js';
import type { Seed } from '../../support/seed.js';
import type { Shape } from './shape.js';

/** MOTLEY, and enough keys without any story for others to change. */
const SEED: Seed = {
  ...MOTLEY,
  keys: [
    ...MOTLEY.keys,
    ...Array.from({ length: 40 }, (_, n) => ({
      id: 200 + n,
      account: ['acme', 'bert', 'cleo', 'dora'][n % 4]!,
      api: ['invoices', 'receipts', 'passport'][n % 3]!,
      used: n % 2 === 0 ? '2022-06-01 10:00:00.000001+00' : null,
    })),
  ],
};

const asText = (value: string): string => `(${value})::text`;

/**
 * A migration of one shape: its own tables, its own configuration in the working folder, the model to hold it against.
 */
export class ShapeWorld {
  /** Quoted names. */
  readonly keys: string;
  readonly target: string;
  readonly id: string;
  /** How often both tables were changed; it is in every value a change writes. */
  rounds = 0;
  private readonly idText: (id: string) => string;
  readonly tokenText: (token: string) => string;

  private constructor(
    readonly shape: Shape,
    readonly scenario: Scenario,
  ) {
    const { legacy, target } = shape.config;
    this.keys = quoteTable(parseTableName(legacy.keys.table));
    this.target = quoteTable(parseTableName(target?.table ?? 'account_api_keys'));
    this.id = quoteIdentifier(legacy.keys.id);
    this.idText = shape.idText === undefined ? asText : (id) => shape.idText!(asText(id));
    this.tokenText = shape.tokenText ?? asText;
  }

  static async of(shape: Shape): Promise<ShapeWorld> {
    const scenario = await Scenario.of(SEED);
    await scenario.db.query(
      `create schema seed; ${['accounts', 'apis', 'api_keys']
        .map(
          (t) => `alter table public.${t}
        set schema seed`,
        )
        .join(';')}`,
    );
    await scenario.db.query(shape.tables);
    await scenario.file('keylift.config.json', JSON.stringify(shape.config));
    return new ShapeWorld(shape, scenario);
  }

  /** The quoted legacy column of a mapped value; null where there is none, or an expression. */
  column(value: string): string | null {
    const mapped = this.mapped(value);
    return typeof mapped === 'string' ? quoteIdentifier(mapped) : null;
  }

  /** What the configuration says of a value, the default included. */
  mapped(value: string): unknown {
    const { keys } = this.shape.config.legacy;
    return value in keys ? keys[value] : DEFAULTS[value];
  }

  async world(): Promise<World> {
    const { db } = this.scenario;
    const { plain } = this.shape;
    const keys = await db.query<{ place: string } & Omit<World['keys'][number], 'place'>>(`
      select ${this.idText('p.id')} as id, ${this.idText('p.account')} as account, ${this.idText('p.api')} as api,
        ${this.tokenText('p.token')} as token, p.alive,
        p.expires_at::text as expiry, row_number() over (order by p.created_at, p.id) as place,
          p.created_at is not null as dated from (${plain.keys}) p order by p.id`);
    const apis = await db.query<{ id: string; kind: 'store' | 'custom' }>(
      `select ${this.idText('p.id')} as id, p.kind from (${plain.apis}) p`,
    );
    const accounts = await db.query<{ id: string }>(`select ${this.idText('p.id')} as id from (${plain.accounts}) p`);
    const born = await db.query<
      World['born'][number]
    >(`select ${this.idText('t.id')} as id, ${this.idText('t.account_id')} as account,
      ${this.tokenText('t.token')} as token,
      t.revoked_at is null and (t.expires_at is null or t.expires_at > now()) as alive from ${this.target} t
        where t.origin_api_id is null`);
    return {
      keys: keys.map((key) => ({ ...key, place: Number(key.place) })),
      apis: new Map(apis.map(({ id, kind }) => [id, kind])),
      accounts: new Set(accounts.map(({ id }) => id)),
      born,
    };
  }

  /** The new table's columns have the types of the values they come from, length, precision and collation included. */
  async assertTypes(): Promise<void> {
    const { keys } = this.shape.config.legacy;
    const columns = {
      id: keys.id,
      ...Object.fromEntries(Object.entries(TARGET_COLUMNS).map(([value, column]) => [column, this.mapped(value)])),
      ...Object.fromEntries(((keys.carry ?? []) as string[]).map((c) => [c, c])),
    };
    const wanted = Object.entries(columns).filter(([, legacy]) => typeof legacy === 'string');
    const rows = await this.scenario.db.query<{ column: string; type: string; wanted: string }>(
      `
      select t.attname as column, concat_ws(' ', format_type(t.atttypid, t.atttypmod), t.attcollation) as type,
        concat_ws(' ', format_type(k.atttypid, k.atttypmod), k.attcollation) as wanted
      from unnest($1::text[], $2::text[]) as given (target, legacy)
        join pg_attribute t on t.attrelid = ${literal(this.target)}::regclass and t.attname = given.target
        join pg_attribute k on k.attrelid = ${literal(this.keys)}::regclass and k.attname = given.legacy`,
      [wanted.map(([column]) => column), wanted.map(([, legacy]) => legacy)],
    );
    expect(rows.length).to.equal(wanted.length);
    // An id of a domain is of what it stands on: a key born in Settings has none before its trigger gives it one.
    for (const row of rows) if (!row.wanted.includes('key_no')) expect(row.type, row.column).to.equal(row.wanted);
  }

  /** Every value arrived as it was: by the shape's own reading of its tables. */
  private async assertVerbatim(): Promise<void> {
    const fields = ['token', 'created_at', 'revoked_at', 'expires_at', 'account_id', 'origin_api_id'];
    const carried = ((this.shape.config.legacy.keys.carry ?? []) as string[]).map(quoteIdentifier);
    const name = this.column('name');
    const rows = await this.scenario.db.query(`
      select t.id, row(${[...fields.map((f) => `t.${f}`), ...carried.map((c) => `t.${c}`)].join(', ')})::text as target
        from ${this.target} t
        join (select p.*, p.account as account_id, p.api as origin_api_id
          from (${this.shape.plain.keys}) p) p on p.id = t.id join ${this.keys} k on k.${this.id} = t.id
      where t.origin_api_id is not null and (
        ${fields.map((f) => `t.${f}::text collate "C" is distinct from p.${f}::text collate "C"`).join(' or ')}
        ${name === null ? '' : `or t.name::text collate "C" is distinct from k.${name}::text collate "C"`}
        ${carried.map((c) => `or t.${c}::text collate "C" is distinct from k.${c}::text collate "C"`).join(' ')})`);
    expect(rows).to.deep.equal([]);
  }

  /** Every outcome, by the model, and the proof. */
  async assertSound(): Promise<void> {
    const { scenario } = this;
    await this.assertVerbatim();
    const proof = (await scenario.must('verify --json', 0, 4)).json<{ ok: boolean; differences: unknown[] }>();
    expect([proof.differences, proof.ok]).to.deep.equal([[], true]);
    const expected = [...judge(await this.world())]
      .filter(([, { outcome }]) => outcome !== 'stay')
      .map(([id, judged]) =>
        [id, judged.outcome, 'reason' in judged ? judged.reason : '', 'into' in judged ? judged.into : ''].join(' '),
      );
    const found = await scenario.db.query<{ row: string }>(`
      select concat_ws(' ', ${this.idText('id')}, 'move', '', '') as row from ${this.target}
        where origin_api_id is not null
      union all select concat_ws(' ', ${this.idText('key_id')}, outcome, coalesce(reason, ''),
        coalesce(${this.idText('account_key_id')}, '')) from keylift.outcomes`);
    expect(found.map(({ row }) => row).sort()).to.deep.equal(expected.sort());
  }

  /** What the resolver and the view must say of every token at every API. */
  async expectedAnswers(switched: Switched): Promise<Map<string, Answer>> {
    const world = await this.world();
    const judged = judge(world);
    const tokens = new Set([...world.keys, ...world.born].flatMap(({ token }) => (token ? [token] : [])));
    return new Map(
      [...tokens].flatMap((token) =>
        [...world.apis.keys()].flatMap((api) => {
          const said = answer({ world, judged, switched }, token, api);
          return said === undefined ? [] : [[`${token} at ${api}`, said] as const];
        }),
      ),
    );
  }

  /** Asks both for every token there is × every API. */
  async assertAnswers(switched: Switched): Promise<void> {
    const expected = await this.expectedAnswers(switched);
    expect(expected.size).to.be.greaterThan(5);
    expect(await this.authorize(), 'keylift.authorize').to.deep.equal(Object.fromEntries([...expected].sort(byKey)));
    const inView = [...expected].sort(byKey).map(([pair, { key_id, account_id }]) => [pair, { key_id, account_id }]);
    expect(await this.perApiKeys(), 'keylift.per_api_keys').to.deep.equal(Object.fromEntries(inView));
  }

  async authorize(): Promise<Record<string, unknown>> {
    return this.said(
      `select ${this.idText('f.key_id')} as key_id, ${this.idText('f.account_id')} as account_id, f.source
        from keylift.authorize(t.token, a.id) f`,
    );
  }

  /** As an old gateway asks: the living rows of a token and an API, the earliest first. */
  private async perApiKeys(): Promise<Record<string, unknown>> {
    const name = (value: string): string => `v.${this.column(value) ?? `"${DEFAULTS[value]!}"`}`;
    const dates = [
      ...(this.mapped('revokedAt') === null ? [] : [`${name('revokedAt')} is null`]),
      ...(this.mapped('expiresAt') === null ? [] : [`(${name('expiresAt')} is null or ${name('expiresAt')} > now())`]),
    ];
    return this.said(`
      select ${this.idText(`v.${this.id}`)} as key_id, ${this.idText(name('account'))} as account_id
        from keylift.per_api_keys v
      where ${[`${name('token')} = t.token`, `${name('api')} = a.id`, ...dates].join(' and ')}
        order by ${name('createdAt')}, v.${this.id} limit 1`);
  }

  private async said(question: string): Promise<Record<string, unknown>> {
    const rows = await this.scenario.db.query<{ pair: string; said: unknown }>(`
      select ${this.tokenText('t.token')} || ' at ' || ${this.idText('a.id')} as pair, row_to_json(s) as said
      from (select distinct token from (select p.token from (${this.shape.plain.keys}) p union all select k.token
        from ${this.target} k) k where token is not null and length(token) > 0) t
      cross join (${this.shape.plain.apis}) a cross join lateral (${question}) s`);
    expect(new Set(rows.map(({ pair }) => pair)).size, 'one answer at most').to.equal(rows.length);
    return Object.fromEntries(rows.map(({ pair, said }) => [pair, said] as const).sort(byKey));
  }

  /** Every legacy row, whole, as text. */
  async legacyRows(): Promise<string[]> {
    return (
      await this.scenario.db.query<{ row: string }>(`select to_json(k)::text as row from ${this.keys} k order by 1`)
    ).map(({ row }) => row);
  }
}

const TARGET_COLUMNS = {
  account: 'account_id',
  name: 'name',
  token: 'token',
  api: 'origin_api_id',
  createdAt: 'created_at',
  lastUsedAt: 'last_used_at',
  revokedAt: 'revoked_at',
  expiresAt: 'expires_at',
};

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

const DEFAULTS: Record<string, string> = {
  token: 'token',
  name: 'name',
  createdAt: 'created_at',
  lastUsedAt: 'last_used_at',
  revokedAt: 'revoked_at',
  expiresAt: 'expires_at',
  api: 'api_id',
  account: 'account_id',
};
