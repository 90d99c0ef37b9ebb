import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { catalogDigest, createReader, type Reader } from '../support/reader.js';
import { judge, readWorld } from '../support/rules.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type KeySeed, type Seed } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';

interface Plan {
  outcomes: Record<'move' | 'stay' | 'merge' | 'hold' | 'exception', number>;
  exceptions: { key_id: string; reason: string }[];
  exceptions_by_reason: Record<string, number>;
  widening: Record<'accounts' | 'keys' | 'store_apis' | 'dormant_keys', number>;
  total: number;
}

const HOUSE: Omit<Seed, 'keys'> = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
};
const PAST = '2022-01-01+00';
const twins = tokenOf('twins');

/** One key that several rules could claim, and the one that must: the first of the contract's order. */
const PRECEDENCE: [name: string, keys: KeySeed[], expected: Record<string, string>][] = [
  [
    'custom beats every lack but a missing API',
    [
      { account: 'nobody', api: 'forms', token: '', created: null },
      { account: null, api: 'gone', token: null, created: null },
      { account: 'acme', api: null },
    ],
    { 1: 'stay', 2: 'missing_api', 3: 'missing_api' },
  ],
  [
    'account, token, date, in this order',
    [
      { account: 'nobody', api: 'invoices', token: '', created: null },
      { account: 'acme', api: 'invoices', token: '', created: null },
      { account: 'acme', api: 'invoices', token: null },
      { account: 'acme', api: 'invoices', created: null },
    ],
    { 1: 'missing_account', 2: 'missing_token', 3: 'missing_token', 4: 'missing_created_at' },
  ],
  [
    'a key without an account shares nothing',
    [
      { account: 'nobody', api: 'invoices', token: twins },
      { account: 'acme', api: 'receipts', token: twins },
    ],
    { 1: 'missing_account', 2: 'move' },
  ],
  [
    'a key of a custom API shares nothing',
    [
      { account: 'bert', api: 'forms', token: twins },
      { account: 'acme', api: 'receipts', token: twins },
    ],
    { 1: 'stay', 2: 'move' },
  ],
  [
    'NULL and empty tokens are not the same token',
    [
      { account: 'acme', api: 'invoices', token: '' },
      { account: 'bert', api: 'invoices', token: '' },
      { account: 'acme', api: 'invoices', token: null },
      { account: 'bert', api: 'invoices', token: null },
    ],
    { 1: 'missing_token', 2: 'missing_token', 3: 'missing_token', 4: 'missing_token' },
  ],
  [
    'two accounts beat two lives',
    [
      { account: 'acme', api: 'invoices', token: twins },
      { account: 'bert', api: 'invoices', token: twins, revoked: PAST },
      { account: 'acme', api: 'receipts', token: twins },
    ],
    { 1: 'shared_token', 2: 'shared_token', 3: 'shared_token' },
  ],
  [
    'two accounts share, also when all of it is dead',
    [
      { account: 'acme', api: 'invoices', token: twins, revoked: PAST },
      { account: 'bert', api: 'invoices', token: twins, revoked: PAST },
    ],
    { 1: 'shared_token', 2: 'shared_token' },
  ],
  [
    'the dead are of one life, revoked or expired',
    [
      { account: 'acme', api: 'invoices', token: twins, revoked: PAST },
      { account: 'acme', api: 'receipts', token: twins, expires: PAST },
      { account: 'acme', api: 'receipts', token: twins, expires: '2020-01-01+00', revoked: '2019-01-01+00' },
    ],
    { 1: 'move', 2: 'merge', 3: 'merge' },
  ],
  [
    'the living are of one life by their expiry',
    [
      { account: 'acme', api: 'invoices', token: twins, expires: '2100-01-01+00' },
      { account: 'acme', api: 'receipts', token: twins, expires: '2100-01-01 01:00:00+01' },
      { account: 'bert', api: 'invoices', token: tokenOf('x'), expires: '2100-01-01+00' },
      { account: 'bert', api: 'receipts', token: tokenOf('x') },
    ],
    { 1: 'move', 2: 'merge', 3: 'conflicting_status', 4: 'conflicting_status' },
  ],
  [
    'the earliest created leads, to the microsecond, then the lowest id',
    [
      { id: 9, account: 'acme', api: 'invoices', token: twins, created: '2021-01-01 00:00:00.000001+00' },
      { id: 4, account: 'acme', api: 'invoices', token: twins, created: '2021-01-01 00:00:00.000002+00' },
      { id: 10, account: 'acme', api: 'invoices', token: twins, created: '2021-01-01 00:00:00.000001+00' },
    ],
    { 4: 'merge', 9: 'move', 10: 'merge' },
  ],
  [
    'tokens differ by case, spaces and composition',
    [
      { account: 'acme', api: 'invoices', token: 'Token-é' },
      { account: 'bert', api: 'invoices', token: 'token-é' },
      { account: 'bert', api: 'receipts', token: 'Token-é ' },
      { account: 'bert', api: 'receipts', token: 'Token-e\u0301' },
    ],
    { 1: 'move', 2: 'move', 3: 'move', 4: 'move' },
  ],
];

describe('plan', () => {
  let scenario: Scenario;
  afterEach(() => scenario.close());
  const judgements = (plan: Plan) => Object.fromEntries(plan.exceptions.map(({ key_id, reason }) => [key_id, reason]));

  for (const [name, keys, expected] of PRECEDENCE) {
    it(`${name}`, async () => {
      scenario = await Scenario.of({ ...HOUSE, keys });
      const plan = (await scenario.run('plan --json')).json<Plan>();
      const outcomes = Object.values(expected);
      const count = (outcome: string) => outcomes.filter((each) => each === outcome).length;
      expect(judgements(plan)).to.deep.equal(
        Object.fromEntries(Object.entries(expected).filter(([, outcome]) => outcome.includes('_'))),
      );
      expect(plan.outcomes).to.include({ move: count('move'), stay: count('stay'), merge: count('merge'), hold: 0 });
      expect(plan.total).to.equal(keys.length);
      // What the plan says is what the migration does.
      await scenario.run('migrate --yes');
      const moved = await scenario.db.query<{ id: string }>('select id::text from public.account_api_keys order by id');
      expect(moved.map(({ id }) => id)).to.have.members(Object.keys(expected).filter((id) => expected[id] === 'move'));
    });
  }

  for (const [what, csv, held] of [
    ['by key', 'key_id\n1\n', ['1']],
    ['by account', 'note,account_id\n"a, b",2\n', ['2', '3', '6']],
    ['with the keys of the account that share the token', 'key_id\n4\n', ['4', '5']],
    ['by key and by account in one file', 'account_id,key_id\n2,\n,1\n', ['1', '2', '3', '6']],
    ['before it is called shared', 'key_id\n6\n', ['6']],
    ['but not from being what comes first', 'key_id\n8\n9\n10\n', []],
  ] as const) {
    it(`holds ${what}`, async () => {
      scenario = await Scenario.of({
        ...HOUSE,
        keys: [
          { account: 'acme', api: 'invoices' },
          { account: 'bert', api: 'invoices' },
          { account: 'bert', api: 'receipts', revoked: PAST },
          { account: 'acme', api: 'invoices', token: twins },
          { account: 'acme', api: 'receipts', token: twins },
          { account: 'bert', api: 'invoices', token: tokenOf('both') },
          { account: 'acme', api: 'invoices', token: tokenOf('both') },
          { account: 'acme', api: 'forms' },
          { account: 'nobody', api: 'invoices' },
          { account: 'acme', api: 'gone' },
        ],
      });
      const plan = (
        await scenario.must(`plan --json --holds ${await scenario.file('holds.csv', csv)}`, 6)
      ).json<Plan>();
      expect(plan.outcomes.hold).to.equal(held.length);
      expect(plan.outcomes.stay).to.equal(1);
      expect(judgements(plan)).to.include({ 7: 'shared_token', 9: 'missing_account', 10: 'missing_api' });
      await scenario.must(`migrate --yes --holds ${await scenario.file('holds.csv', csv)}`, 6);
      const found = await scenario.db.query<{ id: string }>(
        `select key_id::text as id from keylift.outcomes where outcome = 'hold' order by key_id`,
      );
      expect(found.map(({ id }) => id)).to.deep.equal(held);
    });
  }

  it('agrees with a second reading of the rules, and its sums with the table', async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    const plan = (
      await scenario.must(`plan --json --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6)
    ).json<Plan>();
    const judged = [...judge(await readWorld(scenario.db), MOTLEY_HOLDS)];
    const exceptions = judged.flatMap(([key_id, j]) =>
      j.outcome === 'exception' ? [{ key_id, reason: j.reason }] : [],
    );
    for (const outcome of ['move', 'stay', 'merge', 'hold', 'exception'] as const) {
      expect(plan.outcomes[outcome], outcome).to.equal(judged.filter(([, j]) => j.outcome === outcome).length);
    }
    expect(plan.exceptions, 'by id').to.deep.equal(exceptions);
    const byReason: Record<string, number> = {};
    for (const { reason } of exceptions) byReason[reason] = (byReason[reason] ?? 0) + 1;
    expect(plan.exceptions_by_reason).to.deep.equal(byReason);
    const [{ n }] = (await scenario.db.query<{ n: number }>('select count(*)::int as n from public.api_keys')) as [
      { n: number },
    ];
    expect(Object.values(plan.outcomes).reduce((sum, each) => sum + each))
      .to.equal(n)
      .and.equal(plan.total);
  });

  it('counts what widening opens: living moved keys, their accounts, the dormant among them', async () => {
    scenario = await Scenario.of({
      ...HOUSE,
      accounts: ['acme', 'bert', 'cleo'],
      keys: [
        { account: 'acme', api: 'invoices', used: new Date(Date.now() - 89 * 86_400_000).toISOString() },
        { account: 'acme', api: 'invoices', used: new Date(Date.now() - 91 * 86_400_000).toISOString() },
        { account: 'acme', api: 'receipts' },
        { account: 'acme', api: 'receipts', revoked: PAST },
        { account: 'acme', api: 'forms' },
        // of merged keys the latest use counts, and the token once
        { account: 'bert', api: 'invoices', token: twins },
        { account: 'bert', api: 'receipts', token: twins, used: new Date().toISOString() },
        { account: 'cleo', api: 'receipts', expires: PAST },
      ],
    });
    const plan = (await scenario.must('plan --json', 0)).json<Plan>();
    expect(plan.widening).to.deep.equal({ accounts: 2, keys: 4, store_apis: 2, dormant_keys: 2 });
  });

  it('counts the rows that where keeps out, and those among them without an API', async () => {
    scenario = await Scenario.of(MOTLEY);
    const config = await scenario.file(
      'where.json',
      JSON.stringify({ legacy: { keys: { where: { sql: 'k.api_id is not null and k.id > 0' } } } }),
    );
    type Kept = Plan & { excluded?: { rows: number; without_api: number } };
    const whole = (await scenario.must('plan --json', 6)).json<Kept>();
    const plan = (await scenario.must(`plan --json --config ${config}`, 6)).json<Kept>();
    expect([whole.excluded, plan.excluded]).to.deep.equal([undefined, { rows: 3, without_api: 2 }]);
    expect(plan.total).to.equal(whole.total - 3);
    expect((await scenario.must(`plan --config ${config}`, 6)).stdout).to.include(
      '\n\nKept out by where: 3 rows, 2 of them without an API.\n\n',
    );
  });

  it('exits 0 when nothing waits, also for an empty table', async () => {
    scenario = await Scenario.of({ ...HOUSE, keys: [] });
    expect((await scenario.must('plan --json', 0)).json<Plan>()).to.deep.include({
      outcomes: { move: 0, stay: 0, merge: 0, hold: 0, exception: 0 },
      exceptions: [],
      exceptions_by_reason: {},
      total: 0,
    });
  });

  it('lists 10,000 exceptions at most, in the order of ids, as strings, and counts all', async () => {
    scenario = await Scenario.of({ ...HOUSE, keys: [] });
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, token) select n, 1, 77, 'token ' || n
        from generate_series(1, 10500) n order by random()`,
    );
    const plan = (await scenario.must('plan --json', 6)).json<Plan>();
    expect([plan.exceptions.length, plan.outcomes.exception, plan.exceptions_by_reason]).to.deep.equal([
      10_000,
      10_500,
      { missing_api: 10_500 },
    ]);
    expect(plan.exceptions.map(({ key_id }) => key_id)).to.deep.equal(
      Array.from({ length: 10_000 }, (_, n) => String(n + 1)),
    );
  });
});

describe('plan for a role that may only read', () => {
  let scenario: Scenario;
  let reader: Reader;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    reader = await createReader(scenario.db);
  });
  afterEach(async () => {
    await reader.drop();
    await scenario.close();
  });

  it('answers and leaves no trace', async () => {
    const [catalog, legacy] = [await catalogDigest(scenario.db), await scenario.legacyDigest()];
    const ended = await scenario.run('plan --json', { url: reader.url });
    expect(ended.exitCode, ended.stderr).to.equal(6);
    expect(ended.json()).to.deep.equal((await scenario.run('plan --json')).json());
    expect((await scenario.run('plan', { url: reader.url })).exitCode).to.equal(6);
    expect(await catalogDigest(scenario.db)).to.equal(catalog);
    expect(await scenario.legacyDigest()).to.equal(legacy);
  });

  it('answers on a server that takes no writes at all', async () => {
    await scenario.db.query(
      `alter role current_user in database ${scenario.db.name} set default_transaction_read_only = on`.replace(
        'current_user',
        `reader_of_${scenario.db.name}`,
      ),
    );
    expect((await scenario.run('plan --json', { url: reader.url })).exitCode).to.equal(6);
    expect((await scenario.run('status --json', { url: reader.url })).exitCode).to.equal(0);
  });

  for (const command of [
    'migrate --yes --until expand',
    'migrate --yes --until backfill',
    'migrate --yes',
    'rollback --yes',
  ]) {
    it(`answers the same after ${command}`, async () => {
      const before = (await scenario.run('plan --json')).json();
      if (command.startsWith('rollback')) await scenario.must('migrate --yes', 6);
      await scenario.must(command, 0, 6);
      for (const options of [{}, { url: reader.url }]) {
        const ended = await scenario.run('plan --json', options);
        expect(ended.exitCode, ended.stderr).to.equal(6);
        expect(ended.json()).to.deep.equal(before);
      }
    });
  }

  it('knows that a key born in Settings has the token, as the next migration will', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    const { outcomes, widening } = (await scenario.run('plan --json')).json<Plan>();
    await scenario.db.query(`insert into public.account_api_keys (account_id, name, token) values (1, 'born', $1)`, [
      tokenOf(1),
    ]);
    const notice = await scenario.file('notice.csv', '');
    const plan = (await scenario.must(`plan --json --notice ${notice}`, 6)).json<Plan & { notice: { keys: number } }>();
    expect(plan.exceptions).to.deep.include({ key_id: '1', reason: 'shared_token' });
    expect(plan.outcomes).to.deep.equal({ ...outcomes, move: outcomes.move - 1, exception: outcomes.exception + 1 });
    expect([plan.widening.keys, plan.notice.keys]).to.deep.equal([widening.keys - 1, widening.keys - 1]);
    const migrated = (await scenario.must('migrate --yes --json', 6)).json<{ moved: number; exceptions: number }>();
    expect([migrated.moved, migrated.exceptions]).to.deep.equal([plan.outcomes.move, plan.outcomes.exception]);
  });

  it('answers the same in the middle of a backfill', async () => {
    const before = (await scenario.run('plan --json')).json();
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 7);
    const migration = scenario.start('migrate --yes --batch-size 3');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    // The gate of this test is a trigger on the new table.
    expect({ ...(await scenario.run('plan --json')).json(), surroundings: [] }).to.deep.equal(before);
    await gate.remove();
    expect((await migration.ended).exitCode).to.equal(6);
  });
});
