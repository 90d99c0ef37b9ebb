import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';

const SHOP: Seed = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', passport: 'store', forms: 'custom of acme' },
  keys: [
    { id: 1, account: 'acme', api: 'invoices', name: 'one' },
    { id: 2, account: 'acme', api: 'receipts', name: 'two' },
    { id: 3, account: 'acme', api: 'forms', name: 'three' },
    { id: 4, account: 'bert', api: 'invoices', name: 'four', revoked: '2022-01-01+00' },
    // duplicates: 5 is kept, 6 is merged into it
    { id: 5, account: 'bert', api: 'invoices', name: 'five', token: tokenOf('twins'), created: '2021-01-01+00' },
    { id: 6, account: 'bert', api: 'receipts', name: 'six', token: tokenOf('twins'), created: '2021-01-02+00' },
    { id: 7, account: 'bert', api: 'passport', name: 'seven' },
  ],
};

interface Report {
  rolled_back: boolean;
  removed: number;
  born_in_settings: { key_id: string }[];
  left: { key_id: string; reason: string; constraint: string | null }[];
}

const CASCADE = 'alter table public.api_keys add foreign key (api_id) references public.apis (id) on delete cascade';

describe('rollback where the legacy table no longer accepts a row', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(SHOP);
  });
  afterEach(() => scenario.close());

  const finalized = async (before = ''): Promise<void> => {
    if (before !== '') await scenario.db.query(before);
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
  };
  const rolledBack = async (exitCode = 6): Promise<Report> =>
    (await scenario.must('rollback --yes --json', exitCode)).json<Report>();
  const rows = async (): Promise<number[]> =>
    (await scenario.db.query<{ id: number }>('select id::int from public.api_keys order by id')).map(({ id }) => id);
  const accountKeys = async (): Promise<number[]> =>
    (await scenario.db.query<{ id: number }>('select id::int from public.account_api_keys order by id')).map(
      ({ id }) => id,
    );

  it('keeps the account keys of a deleted API, lists them, and ends; a token that has other rows goes back to them', async () => {
    await finalized(CASCADE);
    await scenario.db.query('delete from public.apis where id = 1');
    await scenario.must('verify');
    const report = await rolledBack();
    expect(report.left).to.deep.equal(
      [1, 4, 5].map((id) => ({ key_id: String(id), reason: 'missing_api', constraint: 'api_keys_api_id_fkey' })),
    );
    expect(report.born_in_settings).to.deep.equal([]);
    expect(await rows()).to.deep.equal([2, 3, 6, 7]);
    expect(await accountKeys()).to.deep.equal([1, 4]);
    expect(await scenario.authorize(tokenOf(1), 2)).to.deep.equal([
      { key_id: '1', account_id: '1', source: 'account' },
    ]);
    expect(await scenario.authorize(tokenOf(4), 2), 'a dead key').to.deep.equal([]);
    expect(await scenario.authorize(tokenOf('twins'), 2)).to.deep.equal([
      { key_id: '6', account_id: '2', source: 'per_api' },
    ]);
    expect(await scenario.authorize(tokenOf('twins'), 3), 'only its own API').to.deep.equal([]);
    expect((await scenario.must('status --json')).json()).to.include({ state: 'rolled_back' });

    const second = await rolledBack(0);
    expect([second.rolled_back, second.left]).to.deep.equal([false, report.left]);
    await scenario.must('migrate --yes');
    await scenario.must('verify');
    expect(await accountKeys()).to.deep.equal([1, 2, 4, 6, 7]);
    const third = await rolledBack(0);
    expect([third.left, third.born_in_settings.map((key) => key.key_id)]).to.deep.equal([[], ['1', '4']]);
    expect(await rows()).to.deep.equal([2, 3, 6, 7]);
  });

  const REFUSED: Record<
    string,
    { before?: string; ddl: string; reason: string; constraint: string | null; left: number[] }
  > = {
    'a name became a duplicate': {
      ddl: `insert into public.api_keys (account_id, api_id, name, token) values (1, 4, 'two', 'x');
        alter table public.api_keys add constraint one_name unique (account_id, name)`,
      reason: 'duplicate',
      constraint: 'one_name',
      left: [2],
    },
    'a check refuses it': {
      ddl: `alter table public.api_keys add constraint no_seven check (name <> 'seven')`,
      reason: 'check',
      constraint: 'no_seven',
      left: [7],
    },
    'a check refuses one of the rows of a token': {
      ddl: `alter table public.api_keys add constraint no_six check (name <> 'six')`,
      reason: 'check',
      constraint: 'no_six',
      left: [5, 6],
    },
    'a value is too long': {
      before: `alter table public.api_keys add column note varchar(20); update public.api_keys set note = name`,
      ddl: `alter table public.api_keys alter column note type varchar(4) using left(note, 4)`,
      reason: 'value',
      constraint: null,
      left: [7],
    },
    'a column without a default must not be null': {
      ddl: `alter table public.api_keys add column region text;
        update public.api_keys set region = 'eu'; alter table public.api_keys alter column region set not null`,
      reason: 'not_null',
      constraint: null,
      left: [1, 2, 4, 5, 6, 7],
    },
  };
  for (const [what, { before, ddl, reason, constraint, left }] of Object.entries(REFUSED)) {
    it(`keeps the account key where ${what}`, async () => {
      await finalized(before);
      await scenario.db.query(ddl);
      const report = await rolledBack();
      expect(report.left).to.deep.equal(left.map((id) => ({ key_id: String(id), reason, constraint })));
      expect(await accountKeys()).to.deep.equal(left.filter((id) => id !== 6));
      if (left.includes(5)) expect(await scenario.authorize(tokenOf('twins'), 3)).to.have.length(1);
      const kept = await scenario.db.query<{ key_id: number; name: string }>(
        `select key_id::int, source ->> 'name' as name from keylift.left_keys where key_id = ${String(left[0]!)}`,
      );
      expect(kept[0]!.name, 'the row, whole').to.equal(SHOP.keys[left[0]! - 1]!.name);
      expect((await rolledBack(0)).rolled_back).to.equal(false);
      await scenario.must('migrate --yes', 0, 6);
      await scenario.must('verify');
    });
  }

  it('goes on where a rollback was interrupted between two pages', async () => {
    await finalized(CASCADE);
    await scenario.db.query(`delete from public.apis where id = 1;
      create function keylift.fail() returns trigger language plpgsql as $$ begin raise exception 'the server fails here'; end $$;
      create trigger zz_fail before delete on public.account_api_keys for each row execute function keylift.fail()`);
    await scenario.must('rollback --yes', 1);
    await scenario.db.query('drop function keylift.fail() cascade');
    await scenario.must('verify');
    expect((await rolledBack()).left.map((key) => key.key_id)).to.deep.equal(['1', '4', '5']);
  });

  it('says in words what stays and why', async () => {
    await finalized(CASCADE);
    await scenario.db.query('delete from public.apis where id = 1');
    const { stdout } = await scenario.must('rollback --yes', 6);
    expect(stdout)
      .to.include('no longer accepts 3 per-API keys')
      .and.to.match(/key 1\s+missing_api/);
  });
});
