import { expect } from 'chai';
import { createReader } from '../support/reader.js';
import { Scenario } from '../support/scenario.js';

interface Plan {
  outcomes: Record<string, number>;
  exceptions: { key_id: string; reason: string }[];
  exceptions_by_reason: Record<string, number>;
  widening: Record<'accounts' | 'keys' | 'dormant_keys', number>;
  total: number;
}

interface Made {
  keys: number;
  accounts: number;
  dormant: number;
}

/**
 * Keys in all the ways that one can be counted wrongly: accounts with negative ids, at both ends of a word of 64, more
 * of them missing than are named one by one, none at all; twins that are alone in their account and not, of accounts
 * that are there and missing; lacks of every kind across these.
 */
const WORLD = `
  insert into public.accounts (id, kind, name) select n, 'user', 'account ' || n from generate_series(-130, 700) n
    where n % 7 <> 0;
  insert into public.apis (id, slug, name, kind) select n, 'api-' || n, 'API ' || n,
    case when n % 4 = 0 then 'custom' else 'store' end from generate_series(1, 8) n;
  insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at)
    select n, case when n % 41 = 0 then null when n % 5 = 0 then n else n % 830 - 130
      end, case when n % 53 = 0 then 99 else n % 8 + 1 end, 'key ' || n,
      case when n % 67 = 0 then '' when n % 71 = 0 then null when n % 6 = 1 then 'pair of ' || n / 12
        else 'token ' || n end,
      case when n % 73 = 0 then null else timestamptz '2020-01-01+00' + n * interval '1 s' end,
      case when n % 3 = 0 then now() - n % 200 * interval '1 day'
        end, case when n % 13 = 0 then timestamptz '2022-01-01+00' end
    from generate_series(1, 9000) n;
  -- accounts that would be widened by a key of theirs, were it not for the other one with its token
  insert into public.accounts (id, kind, name) select n, 'user', 'account ' || n from generate_series(20001, 20010) n;
  insert into public.api_keys (id, account_id, api_id, name, token, created_at, revoked_at)
    select n, 20001 + (n - 9001) / 2, 1, 'key ' || n, 'contested ' || (n - 9001) / 2, now(),
      case when n % 2 = 0 then now() end from generate_series(9001, 9020) n;`;

const TEXT_ACCOUNTS = `
  alter table public.api_keys alter account_id type text using 'of ' || account_id;
  alter table public.accounts alter id drop identity;
  alter table public.accounts alter id type text using 'of ' || id;
  alter table public.apis alter owner_account_id type text using 'of ' || owner_account_id;`;

/** What the migration made of it, counted without the plan's statements. */
const MADE = `
  with made as (
    select k.id, coalesce(x.outcome, case when t.id is not null then 'move' else 'stay' end) as outcome, x.reason,
      t.id is not null and t.revoked_at is null as widened, t.account_id::text as account,
      coalesce(t.last_used_at < now() - interval '90 days', true) as dormant
    from public.api_keys k left join keylift.outcomes x on x.key_id = k.id left
      join public.account_api_keys t on t.id = k.id)
  select (select jsonb_object_agg(outcome, n) from (select outcome, count(*) as n from made group by 1) o) as outcomes,
    (select jsonb_object_agg(reason, n) from (select reason, count(*) as n from made where outcome = 'exception'
      group by 1) r) as exceptions_by_reason,
    (select count(*)::int from made where widened) as keys, (select count(distinct account)::int from made
      where widened) as accounts,
    (select count(*)::int from made where widened and dormant) as dormant,
    (select jsonb_agg(jsonb_build_object('key_id', id::text, 'reason', reason) order by id) from made
      where outcome = 'exception') as exceptions`;

/** Exceptions that a plan's text lists by id. */
const listedIn = (text: string): Plan['exceptions'] =>
  [...text.matchAll(/^ {4}key (\S+) +(\S+)$/gm)].map(([, key_id, reason]) => ({ key_id: key_id!, reason: reason! }));

describe('plan counts what the migration makes', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
  });
  afterEach(() => scenario.close());

  const agree = async (expectedAbsent: (accounts: number) => boolean, holds = ''): Promise<void> => {
    const [{ absent }] = (await scenario.db.query<{
      absent: number;
    }>(`select count(distinct k.account_id)::int as absent from public.api_keys k
      where k.account_id is not null and not exists (select from public.accounts o where o.id = k.account_id)`)) as [
      { absent: number },
    ];
    expect(expectedAbsent(absent), `${String(absent)} accounts are missing`).to.equal(true);
    const plan = (await scenario.must(`plan --json${holds}`, 6)).json<Plan>();
    expect(listedIn((await scenario.must(`plan${holds}`, 6)).stdout)).to.deep.equal(plan.exceptions.slice(0, 20));
    await scenario.must(`migrate --yes${holds}`, 6);
    const [made] = (await scenario.db.query<Plan & Made>(MADE)) as [Plan & Made];
    expect({ merge: 0, hold: 0, ...plan.outcomes }).to.deep.equal({ merge: 0, hold: 0, ...made.outcomes });
    expect(plan.exceptions_by_reason).to.deep.equal(made.exceptions_by_reason);
    expect(plan.exceptions).to.deep.equal(made.exceptions);
    expect([plan.widening.keys, plan.widening.accounts, plan.widening.dormant_keys]).to.deep.equal([
      made.keys,
      made.accounts,
      made.dormant,
    ]);
    expect(plan.total).to.equal(9020);
  };

  it('with more accounts missing than are named', async () => {
    await scenario.db.query(WORLD);
    await agree((absent) => absent > 1_000);
  });

  it('with some accounts missing, and others held', async () => {
    await scenario.db.query(WORLD);
    await scenario.db.query(
      `insert into public.accounts (id, kind, name) select n, $1, $2 from generate_series(701, 9000) n
        where n % 25 <> 0`,
      ['user', 'late'],
    );
    const holds = await scenario.file(
      'holds.csv',
      `account_id,key_id\n${[3, 62, 127, 701].map((id) => `${String(id)},\n`).join('')},2\n,25\n,14\n`,
    );
    await agree((absent) => absent > 100 && absent < 1_000, ` --holds ${holds}`);
  });

  it('with ids of accounts that are no integers', async () => {
    await scenario.db.query(WORLD);
    await scenario.db.query(TEXT_ACCOUNTS);
    await agree((absent) => absent > 1_000);
  });

  it('with every account there, and ids of accounts that are no integers', async () => {
    await scenario.db.query(WORLD);
    await scenario.db.query(
      `update public.api_keys set account_id = 1 where account_id is null or not exists (select from public.accounts o
        where o.id = account_id)`,
    );
    await scenario.db.query(TEXT_ACCOUNTS);
    await agree((absent) => absent === 0);
  });

  it('in one session where a role may have no second one', async () => {
    await scenario.db.query(WORLD);
    const expected = (await scenario.must('plan --json', 6)).json();
    const reader = await createReader(scenario.db);
    try {
      await scenario.db.query(`alter role ${new URL(reader.url).username} connection limit 1`);
      const ended = await scenario.run('plan --json', { url: reader.url });
      expect(ended.exitCode, ended.stderr).to.equal(6);
      const { surroundings, ...plan } = ended.json<{ surroundings: { kind: string }[] }>();
      expect({ ...plan, surroundings: [] }).to.deep.equal(expected);
      expect(surroundings.map(({ kind }) => kind)).to.deep.equal(['connections']);
    } finally {
      await reader.drop();
    }
  });
});
