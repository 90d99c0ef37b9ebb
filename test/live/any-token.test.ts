import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';

const SEED: Seed = {
  accounts: ['acme', 'solo'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
  keys: [
    { id: 10, account: 'acme', api: 'invoices' },
    { id: 20, account: 'acme', api: 'receipts' },
    { id: 30, account: 'solo', api: 'invoices' },
  ],
};

/** A text of 3,844 characters that does not compress. */
const LONG = `(select 'jwt.' || string_agg(md5(n::text || $$SALT$$), '') from generate_series(1, 120) n)`;
const long = (salt: string): string => LONG.replace('SALT', salt);

const INDEXES = `
  select i.indexrelid::regclass::text as name, m.amname as method, i.indisunique as unique
  from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
  where i.indrelid = 'public.account_api_keys'::regclass and c.relname like '%api\\_keys\\_token\\_%'
  order by 1`;

describe('tokens of any length', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(SEED);
  });
  afterEach(() => scenario.close());

  const write = (sql: string): Promise<unknown> => scenario.db.query(sql);
  const opens = async (token: string, api: number): Promise<string | undefined> =>
    (await scenario.db.query<{ id: string }>(`select key_id::text as id from keylift.authorize(${token}, ${api})`))[0]
      ?.id;
  const refused = (sql: string): Promise<string> =>
    write(sql).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );

  for (const [what, prepare] of [
    ['is a hash index', 'drop index api_keys_token; create index on api_keys using hash (token)'],
    ['is missing', 'drop index api_keys_token'],
  ] as const) {
    it(`are written, moved, archived and restored where the platform's index ${what}`, async () => {
      await write(prepare);
      await write(`update api_keys set token = ${long('a')} where id = 10`);
      await scenario.must('migrate --yes --until expand');
      await write(`insert into api_keys (id, account_id, api_id, token) values (40, 1, 2, ${long('b')})`);
      await write(`insert into account_api_keys (account_id, name, token) values (2, 'native', ${long('c')})`);
      expect(await refused(`insert into account_api_keys (account_id, token) values (1, ${long('c')})`)).to.equal(
        '23505',
      );
      await scenario.must('migrate --yes');
      await write(`update api_keys set token = ${long('d')} where id = 30`);
      await write(`update account_api_keys set token = ${long('e')} where id = 20`);
      for (const [salt, id] of Object.entries({ a: '10', b: '40', d: '30', e: '20' }))
        expect(await opens(long(salt), 2), salt).to.equal(id);
      expect(await refused(`update account_api_keys set token = ${long('a')} where origin_api_id is null`)).to.equal(
        '23505',
      );
      await scenario.must('verify');
      await scenario.must('finalize --yes');
      expect(await opens(long('d'), 2)).to.equal('30');
      await scenario.must('rollback --yes');
      expect(await write(`select id::int, token = ${long('d')} as same from api_keys where id = 30`)).to.deep.equal([
        { id: 30, same: true },
      ]);
    });
  }

  it('are bytes, too', async () => {
    await write(`drop index api_keys_token; drop view if exists keylift.per_api_keys;
      alter table api_keys alter token type bytea using convert_to(token, 'UTF8')`);
    const bytes = `decode(replace(${long('a').replace('$$a$$', `'a'`)}, 'jwt.', ''), 'hex') || decode(replace(${long('b').replace('$$b$$', `'b'`)}, 'jwt.', ''), 'hex')`;
    await write(`update api_keys set token = ${bytes} where id = 10`);
    await scenario.must('migrate --yes');
    expect(await opens(bytes, 2)).to.equal('10');
  });

  it('differ where a backslash, a letter or an accent differs', async () => {
    await write('drop index api_keys_token');
    const tokens = String.raw`{"a\\\\b","a\\\\\\\\b","a\\\\142","ab","AB","äb","\\\\x61","a"}`;
    await write(`insert into api_keys (account_id, api_id, token)
      select 1, 1, t from unnest('${tokens}'::text[]) t`);
    await scenario.must('migrate --yes');
    expect(await write('select count(*)::int as n from account_api_keys')).to.deep.equal([{ n: 11 }]);
  });

  it('are limited by a btree index of the platform, so the new table has the same', async () => {
    await scenario.must('migrate --yes');
    expect(await write(INDEXES)).to.deep.equal([{ name: 'account_api_keys_token_key', method: 'btree', unique: true }]);
  });

  it('are limited by a short type, so the new table has the index of short tokens', async () => {
    await write('drop index api_keys_token; alter table api_keys alter token type varchar(255)');
    await scenario.must('migrate --yes');
    expect(await write(INDEXES)).to.deep.equal([{ name: 'account_api_keys_token_key', method: 'btree', unique: true }]);
  });

  it('are found by an index of any kind', async () => {
    await write('drop index api_keys_token');
    await scenario.must('migrate --yes');
    expect(await write(INDEXES)).to.deep.equal([
      { name: 'account_api_keys_token_key', method: 'btree', unique: true },
      { name: 'account_api_keys_token_lookup', method: 'hash', unique: false },
    ]);
    const plan = await scenario.db.query<{ 'QUERY PLAN': string }>(
      `set enable_seqscan = off; explain select from account_api_keys where token = '${tokenOf(10)}'`,
    );
    expect(JSON.stringify(plan)).to.include('account_api_keys_token_lookup');
  });
});

describe('a row with json that jsonb refuses', () => {
  const ODD = [String.raw`{"a":"\u0000"}`, '{"a":1e200000}', String.raw`{"b":1,"a":"\ud800","b":2}`];
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(SEED);
    await scenario.db.query('alter table api_keys add column metadata json');
  });
  afterEach(() => scenario.close());

  const insertDuplicates = (): Promise<unknown> =>
    scenario.db.query(
      `insert into api_keys (id, account_id, api_id, token, created_at, metadata)
       select 100 + n, 1, 2, '${tokenOf(10)}', '2022-02-02', t::json from unnest($1::text[]) with ordinality as given (t, n)`,
      [ODD],
    );
  const texts = async (query: string): Promise<string[]> =>
    (await scenario.db.query<{ text: string }>(query)).map(({ text }) => text);
  /** The functions of PostgreSQL cannot take such a document apart, so it is read as a text. */
  const assertKept = async (): Promise<void> => {
    const kept = await texts(
      `select source::text as text from keylift.outcomes where outcome = 'merge' order by key_id`,
    );
    expect(kept.map((text) => text.slice(text.indexOf('"metadata":')))).to.deep.equal(
      ODD.map((json) => `"metadata":${json}}`),
    );
  };
  const ROWS = 'select metadata::text as text from api_keys where id > 100 order by id';

  it('is kept exactly when it is merged, archived and restored', async () => {
    await insertDuplicates();
    await scenario.must('migrate --yes');
    await assertKept();
    await scenario.must('finalize --yes');
    await scenario.must('rollback --yes');
    expect(await texts(ROWS)).to.deep.equal(ODD);
  });

  it('can be written while the mirror is on', async () => {
    await scenario.must('migrate --yes');
    await insertDuplicates();
    await assertKept();
    await scenario.must('verify');
  });
});
