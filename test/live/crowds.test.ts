import { expect } from 'chai';
import fc from 'fast-check';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type KeySeed, type Seed } from '../support/seed.js';
import { Session } from './sessions.js';
import { assertOutcomes } from './sound.js';

/*
 * A platform overwrites the token of each deleted key by one constant. The mirror then decides the changed row alone
 * where no verdict of the others can change; here that is held against the model of the rules.
 */

const GONE = tokenOf('gone');
const ACCOUNTS = ['acme', 'solo', 'third'];
const APIS = { invoices: 'store', receipts: 'store', forms: 'custom of acme' } as const;

/** Rows of the crowd have the ids from 1, keys with a token of their own those from 101. */
const world = (crowd: readonly Partial<KeySeed>[]): Seed => ({
  accounts: ACCOUNTS,
  apis: APIS,
  keys: [
    ...crowd.map((key, at) => ({ id: at + 1, account: 'acme', api: 'invoices', token: GONE, ...key })),
    ...Array.from({ length: 12 }, (_, at) => ({
      id: 101 + at,
      account: ACCOUNTS[at % 3]!,
      api: at % 2 === 0 ? 'invoices' : 'receipts',
      // Two of them are duplicates, of which the first has the account key.
      ...(at < 2 ? { account: 'acme', token: tokenOf('pair') } : {}),
    })),
  ],
});

const drawnKey = fc.record({
  // Mostly one account: whether a second one is left decides about all.
  account: fc.oneof({ weight: 12, arbitrary: fc.constant('acme') }, fc.constantFrom('solo', 'third', 'none', null)),
  api: fc.oneof({ weight: 8, arbitrary: fc.constant('invoices') }, fc.constantFrom('receipts', 'forms', 'none')),
  revoked: fc.constantFrom('2022-01-01', '2022-01-01', null),
  created: fc.oneof({ weight: 9, arbitrary: fc.constant('2021-05-05') }, fc.constant(null)),
});

const idOfCrowd = fc.integer({ min: 1, max: 40 });
const idOutside = fc.integer({ min: 101, max: 112 });
const update = (set: string, id: number): string => `update api_keys set ${set} where id = ${String(id)}`;

const drawnWrite = fc.oneof(
  { weight: 4, arbitrary: idOutside.map((id) => update(`token = '${GONE}', revoked_at = now()`, id)) },
  { weight: 3, arbitrary: idOfCrowd.map((id) => update(`token = '${tokenOf('back')}' || id`, id)) },
  idOfCrowd.map((id) => `delete from api_keys where id = ${String(id)}`),
  idOfCrowd.map((id) => update(`name = 'other'`, id)),
  fc.tuple(idOfCrowd, fc.constantFrom('1', '2', '3', 'null')).map(([id, a]) => update(`account_id = ${a}`, id)),
  fc.tuple(idOfCrowd, fc.constantFrom('1', '3', '99')).map(([id, api]) => update(`api_id = ${api}`, id)),
  idOfCrowd.map((id) => update(`revoked_at = case when revoked_at is null then now() end`, id)),
  idOfCrowd.map((id) => update(`created_at = '2020-01-01'`, id)),
  fc.integer({ min: 1, max: 3 }).map(
    (account) => `insert into api_keys (account_id, api_id, name, token, created_at)
      values (${String(account)}, 1, 'new', '${GONE}', '2019-01-01')`,
  ),
);

const drawnCrowd = fc.array(drawnKey, { minLength: 22, maxLength: 40 });
const drawnWrites = fc.array(drawnWrite, { minLength: 20, maxLength: 20 });

describe('single writes to many rows of one token', () => {
  for (const held of [
    { keyIds: [], accountIds: [] },
    { keyIds: ['7', '105'], accountIds: [] },
    { keyIds: [], accountIds: ['2'] },
  ]) {
    const csv = `key_id,account_id\n${held.keyIds.map((id) => `${id},\n`).join('')}${held.accountIds.map((id) => `,${id}\n`).join('')}`;
    const which = [...held.keyIds.map((id) => `key ${id}`), ...held.accountIds.map((id) => `account ${id}`)];
    it(`each write of a single row decides as the rules do; held: ${which.join(', ') || 'none'}`, async () => {
      const runs = fc.asyncProperty(drawnCrowd, drawnWrites, async (crowd, writes) => {
        const drawn = await Scenario.of(world(crowd), { holds: held });
        try {
          await drawn.must(`migrate --yes --holds ${await drawn.file('holds.csv', csv)}`, 0, 6);
          for (const write of writes) {
            await drawn.db.query(write);
            await assertOutcomes(drawn);
          }
          await drawn.must('verify');
        } finally {
          await drawn.close();
        }
      });
      await fc.assert(runs, { numRuns: 3, endOnFailure: true });
    }).timeout(120_000);
  }
});

describe('many rows of one token and two sessions', () => {
  let scenario: Scenario;
  afterEach(() => scenario.close());

  const crowdOf = (size: number, last: Partial<KeySeed>): Partial<KeySeed>[] =>
    Array.from({ length: size }, (_, at) => ({ revoked: '2022-01-01', ...(at === size - 1 ? last : {}) }));

  it('one more row of the token does not wait for a row that another session changes', async () => {
    scenario = await Scenario.of(world([...crowdOf(30, { account: 'solo' }), { account: 'third' }]));
    await scenario.must('migrate --yes', 6);
    const other = await Session.open(scenario.db);
    await other.run('begin');
    await other.run(update(`name = 'other'`, 2));
    await scenario.db.query(`delete from api_keys where id = 5`);
    await scenario.db.query(update(`token = '${GONE}', revoked_at = now()`, 103));
    await other.run('commit');
    await assertOutcomes(scenario);
  });

  for (const end of ['commit', 'rollback']) {
    it(`the only row of a second account waits for the row that relies on it, which ends with ${end}`, async () => {
      scenario = await Scenario.of(world(crowdOf(30, { account: 'solo' })));
      await scenario.must('migrate --yes', 6);
      const [joining, leaving] = [await Session.open(scenario.db), await Session.open(scenario.db)];
      await joining.run('begin');
      await joining.run(update(`token = '${GONE}', revoked_at = now()`, 104)); // a row of acme
      const left = await leaving.startBlocked(update(`token = '${tokenOf('back')}'`, 30));
      await joining.run(end);
      expect(await left.end).to.equal('done');
      await assertOutcomes(scenario);
      await scenario.must('verify');
    });
  }

  it('a row that another session takes away is not relied on', async () => {
    scenario = await Scenario.of(world(crowdOf(30, { account: 'solo' })));
    await scenario.must('migrate --yes', 6);
    const [leaving, joining] = [await Session.open(scenario.db), await Session.open(scenario.db)];
    await leaving.run('begin');
    await leaving.run(update(`token = '${tokenOf('back')}'`, 30));
    const joined = await joining.startBlocked(update(`token = '${GONE}', revoked_at = now()`, 104));
    await leaving.run('commit');
    expect(await joined.end).to.equal('done');
    await assertOutcomes(scenario);
  });
});
