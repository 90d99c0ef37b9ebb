import { expect } from 'chai';
import { serverMajor } from '../support/database.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { COLUMNED, PARTITIONED } from './shapes/structures.js';
import { NUMBERS } from './shapes/numbers.js';
import { TEXTS } from './shapes/texts.js';
import type { Shape } from './shapes/shape.js';
import { ShapeWorld } from './shapes/world.js';

const shapeNamed = (word: string): Shape =>
  [...NUMBERS, ...TEXTS, ...PARTITIONED, ...COLUMNED].find(({ name }) => name.includes(word))!;

/** SQLSTATE with which a statement is refused; null where it is not. */
const refusal = async ({ db }: Scenario, sql: string): Promise<string | null> =>
  db.query(sql).then(
    () => null,
    (error: unknown) => (error as { code: string }).code,
  );

describe('what a schema has beside its columns', () => {
  let shop: ShapeWorld;
  const open = async (word: string): Promise<Scenario> => {
    shop = await ShapeWorld.of(shapeNamed(word));
    return shop.scenario;
  };
  afterEach(() => shop.scenario.close());

  it('statements that name a partition are mirrored, and its TRUNCATE is refused', async () => {
    const scenario = await open('partitioned by range');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    const moved = async (id: number) =>
      db.query(
        `select name, account_id::text, revoked_at is not null as revoked from public.account_api_keys
          where id = ${String(id)}`,
      );
    await db.query(
      `insert into public.api_keys_new_1 (id, account_id, api_id, name, token, created_at)
        values (9001, 1, 1, 'straight in', 'straight in', '2022-01-01')`,
    );
    expect(await moved(9001)).to.deep.equal([{ name: 'straight in', account_id: '1', revoked: false }]);
    await db.query(`update public.api_keys_new set revoked_at = now() where id = 9001`);
    expect(await moved(9001)).to.deep.equal([{ name: 'straight in', account_id: '1', revoked: true }]);
    await db.query(`update public.api_keys set account_id = 2, created_at = '2021-01-15' where id = 9001`);
    expect(await moved(9001)).to.deep.equal([{ name: 'straight in', account_id: '2', revoked: true }]);
    await db.query('delete from public.api_keys_old where id = 9001');
    expect(await moved(9001)).to.deep.equal([]);
    for (const table of ['public.api_keys', 'public.api_keys_old', 'public.api_keys_new', 'public.api_keys_new_1'])
      expect(await refusal(scenario, `truncate ${table}`), table).to.equal('55000');
    await shop.assertSound();
  });

  it('an id in two partitions is refused: before the migration by a gate, while it lasts by the mirror', async () => {
    const scenario = await open('partitioned by range');
    const { db } = scenario;
    const twin = `insert into public.api_keys (id, account_id, api_id, token, created_at)
      select 200, 1, 1, 'twin of 200', '2020-01-01'`;
    await db.query(twin);
    expect((await scenario.run('migrate --yes')).stderr)
      .to.include('unique_key: ')
      .and.include('one id in several partitions');
    await db.query(`delete from public.api_keys where token = 'twin of 200'`);
    await scenario.must('migrate --yes', 6);
    expect(await refusal(scenario, twin)).to.equal('23505');
    expect(await refusal(scenario, `update public.api_keys set id = 200 where id = 201`)).to.equal('23505');
    await shop.assertSound();
  });

  it("a partition that is detached leaves no trigger behind that would stand in a rollback's way", async () => {
    const scenario = await open('partitioned by hash');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    await db.query('alter table public.api_keys detach partition public.api_keys_2');
    expect((await scenario.must('verify --json', 4)).json<{ keys: { extra: number } }>().keys.extra).to.be.greaterThan(
      0,
    );
    await scenario.must('rollback --yes');
    expect(
      await db.query(
        `select tgrelid::regclass from pg_trigger where tgname in ('keylift_insert', 'keylift_update',
          'keylift_delete', 'keylift_truncate')`,
      ),
    ).to.deep.equal([]);
  });

  it('an index by token is built a partition, and taken away again', async () => {
    const scenario = await open('partitioned by hash');
    const indexes = () =>
      scenario.db.query(
        `select from pg_index i join pg_class c on c.oid = i.indexrelid where c.relname like '%keylift_token'
          and i.indisvalid`,
      );
    await scenario.must('migrate --yes --until expand');
    expect(await indexes()).to.have.length(3);
    await scenario.must('rollback --yes');
    expect(await indexes()).to.have.length(0);
  });

  it('carried columns bring their defaults and what was unique among them', async () => {
    const scenario = await open('several secrets');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    const [born] = await db.query(`insert into public.account_api_keys (account_id, name, token)
        values (1, 'born', 'born with three values')
      returning prefix, scopes, extra, serial > 0 as counted, turn > 0 as turned, webhook_secret is not null as secret,
        shown, "secret key"`);
    expect(born).to.deep.equal({
      prefix: 'pk',
      scopes: [],
      extra: { a: 1 },
      counted: true,
      turned: true,
      secret: true,
      shown: null,
      'secret key': null,
    });
    expect(
      await refusal(
        scenario,
        `update public.account_api_keys set webhook_secret = (select webhook_secret from public.account_api_keys
          order by id limit 1) where token = 'born with three values'`,
      ),
    ).to.equal('23505');
    expect(
      (await scenario.must('check --json'))
        .json<{ notes: { note: string }[] }>()
        .notes.map(({ note }) => note)
        .join(),
    ).to.include('the new table does not have the unique index public.api_keys_lower_id_idx');
    await scenario.must('rollback --yes');
    await db.query(`delete from public.account_api_keys`);
    await scenario.must('migrate --yes', 6);
  });

  it("ids of keys born in Settings come from the sequence of the legacy table's default", async () => {
    const scenario = await open('sequence of another name');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    const ids = await Promise.all(
      ['settings', 'legacy', 'settings', 'legacy'].map((where, at) =>
        db.query<{ id: string }>(
          where === 'settings'
            ? `insert into ids.settings_keys (account_id, token) values (1, 'made ${String(at)}') returning id`
            : `insert into shop.credentials (owner, product, secret, type) values (1, 1, 'made ${String(at)}',
              'per-api') returning id`,
        ),
      ),
    );
    expect(new Set(ids.map(([row]) => row!.id)).size).to.equal(4);
    await shop.assertSound();
  });

  it('ids of text fit their column', async () => {
    const scenario = await open('language orders');
    await scenario.must('migrate --yes', 0, 6);
    const [born] = await scenario.db.query<{ id: string }>(
      `insert into public.account_api_keys (account_id, token) select id, 'born' from public.accounts limit 1
        returning id`,
    );
    expect(born!.id).to.match(/^[0-9a-f]{25}$/);
  });

  it(`a token follows also where nothing but the case of its letters changes,
    and both are the same to its type`, async () => {
    const scenario = await open('citext');
    const { db } = scenario;
    await scenario.must('migrate --yes', 0, 6);
    const [turned] = await db.query<{ id: string; token: string }>(`
      update public.api_keys k set token = upper(k.token::text) where id = (
        select t.id from public.account_api_keys t join public.api_keys o on o.token = t.token
        where t.token::text <> upper(t.token::text) group by t.id having count(*) = 1 order by t.id limit 1)
      returning id, token::text`);
    expect(await db.query('select token::text from public.account_api_keys where id = $1', [turned!.id])).to.deep.equal(
      [{ token: turned!.token }],
    );
    await shop.assertSound();
  });

  it("a name that the legacy table has no column for is Settings' own", async () => {
    const scenario = await open('sequence of another name');
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `update ids.settings_keys set name = 'named in Settings' where id = 1;
        update shop.credentials set inserted = inserted + interval '1 s' where id = 1`,
    );
    expect(await scenario.db.query('select name from ids.settings_keys where id = 1')).to.deep.equal([
      { name: 'named in Settings' },
    ]);
    await shop.assertSound();
  });

  it('a revocation that the legacy table has no column for waits for finalize, and outlives a rollback', async () => {
    const scenario = await open('sequence of another name');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    const revoke = 'update ids.settings_keys set revoked_at = now() where id = 1';
    expect(await refusal(scenario, revoke)).to.equal('55000');
    await scenario.must('finalize --yes');
    expect(await refusal(scenario, `update ids.settings_keys set expires_at = '2999-01-01' where id = 2`)).to.equal(
      '55000',
    );
    expect(await refusal(scenario, revoke)).to.equal(null);
    const tokens = await db.query<{ token: string }>('select token from ids.settings_keys where id = 1');
    await scenario.must('rollback --yes');
    expect(await db.query('select from shop.credentials where id = 1')).to.have.length(0);
    expect(await db.query('select * from keylift.authorize($1, 1)', [tokens[0]!.token])).to.deep.equal([]);
  });

  it('an owner who changes in another table is found by verify and brought over by migrate', async () => {
    const scenario = await open('owner two joins away');
    const { db } = scenario;
    await scenario.must('migrate --yes', 6);
    await db.query(`update public."Project" set "organizationId" = 'org_4' where id = 'prj_1'`);
    const proof = (await scenario.must('verify --json', 4)).json<{
      differences: { fields: string[] }[];
      authorization: { gained_foreign: number };
    }>();
    expect(proof.differences.some(({ fields }) => fields?.includes('account_id'))).to.equal(true);
    await scenario.must('migrate --yes', 6);
    await shop.assertSound();
    await shop.assertAnswers('all');
  });
});

describe('ids of every type that can be one', () => {
  for (const [type, using] of [
    ['smallint', 'id::smallint'],
    ['numeric(20)', 'id::numeric'],
    ['char(12)', `'key' || id`],
    ['varchar', 'id::text'],
  ] as const) {
    it(`${type}: moves, makes one for a key born in Settings, and takes all back`, async () => {
      const scenario = await Scenario.of({
        ...MOTLEY,
        keys: MOTLEY.keys.filter(({ id }) => Number(id) > 0 && Number(id) < 1000),
      });
      try {
        await scenario.db.query(
          `alter table public.api_keys alter id drop identity;
            alter table public.api_keys alter id type ${type} using ${using}`,
        );
        const rows = await scenario.legacyDigest();
        for (const round of ['first', 'again']) {
          await scenario.must('migrate --yes', 6);
          const [born] = await scenario.db.query<{ id: string }>(
            `insert into public.account_api_keys (account_id, token) values (1, 'born ${round}') returning id::text`,
          );
          expect(born!.id).to.match(/./);
          await scenario.must('verify --json', 0);
          await scenario.must('finalize --yes');
          await scenario.must('rollback --yes');
          expect(await scenario.legacyDigest(), round).to.equal(rows);
        }
      } finally {
        await scenario.close();
      }
    });
  }
});

describe('a column that is computed when it is read', () => {
  it('is carried as what it shows, and follows what it is computed from', async function () {
    const scenario = await Scenario.of(MOTLEY);
    try {
      // Only PostgreSQL 18 and newer have such columns.
      if ((await serverMajor()) < 18) {
        this.skip();
        return;
      }
      await scenario.db.query(
        `alter table public.api_keys add shown text generated always as (coalesce(name, '?') || '!') virtual`,
      );
      await scenario.file('keylift.config.json', JSON.stringify({ legacy: { keys: { carry: ['shown'] } } }));
      await scenario.must('migrate --yes', 6);
      const shown = async () =>
        (await scenario.db.query<{ shown: string }>('select shown from public.account_api_keys where id = 1'))[0]!
          .shown;
      expect(await shown()).to.equal('invoice-api-key!');
      await scenario.db.query(`update public.api_keys set name = 'old release' where id = 1`);
      expect(await shown()).to.equal('old release!');
      await scenario.db.query(`update public.account_api_keys set name = 'Settings' where id = 1`);
      expect(await shown()).to.equal('Settings!');
      await scenario.must('verify --json', 0);
      await scenario.must('finalize --yes');
      await scenario.must('rollback --yes');
      expect(await scenario.db.query('select shown from public.api_keys where id = 1')).to.deep.equal([
        { shown: 'Settings!' },
      ]);
    } finally {
      await scenario.close();
    }
  });
});

describe('dates without a zone', () => {
  let shop: ShapeWorld;
  afterEach(() => shop.scenario.close());

  /**
   * What two sessions in zones a day apart are told about keys that expired, and will expire, within the hour by UTC.
   */
  const answers = async (timeZone?: string): Promise<Record<string, string[]>> => {
    const shape = shapeNamed('integer identity');
    shop = await ShapeWorld.of({
      ...shape,
      config: {
        ...shape.config,
        legacy: {
          ...shape.config.legacy,
          keys: { ...shape.config.legacy.keys, ...(timeZone === undefined ? {} : { timeZone }) },
        },
      },
    });
    const { scenario } = shop;
    await scenario.db.query(`
      update public.tokens set revoked = null, valid_until = now() at time zone 'utc' - interval '30 min'
        where token_no = 200;
      update public.tokens set revoked = null, valid_until = now() at time zone 'utc' + interval '30 min'
        where token_no = 201`);
    await scenario.must('migrate --yes', 6);
    const client = await scenario.db.connect();
    const told: Record<string, string[]> = {};
    for (const zone of ['UTC', 'Pacific/Kiritimati', 'Pacific/Niue']) {
      await client.query(`set timezone = '${zone}'`);
      const { rows } = await client.query<{ token_no: number }>(
        `select token_no from public.tokens k, keylift.authorize(k.digest, 1) where token_no in (200, 201) order by 1`,
      );
      told[zone] = rows.map((row) => String(row.token_no));
      await client.query(`insert into public.account_api_keys (account_id, token) values (1, ${shape.token!(zone)})`);
    }
    const [born] = await client
      .query<{ zones: string[] }>(
        `select array_agg(extract(hour from created_at - (now() at time zone 'utc'))::int::text order by id) as zones
          from public.account_api_keys where origin_api_id is null`,
      )
      .then(({ rows }) => rows);
    return { ...told, born: born!.zones };
  };

  it("are compared as the asking session would, as an old gateway's query was", async () => {
    expect(await answers()).to.deep.include({ UTC: ['201'], 'Pacific/Kiritimati': [], 'Pacific/Niue': ['200', '201'] });
  });

  it('are compared in one zone for all where the configuration names it', async () => {
    const told = await answers('UTC');
    expect(told).to.deep.include({ UTC: ['201'], 'Pacific/Kiritimati': ['201'], 'Pacific/Niue': ['201'] });
    expect(told.born).to.deep.equal(['0', '0', '0']);
    await shop.scenario.must('verify --json', 0);
  });
});
