import { expect } from 'chai';
import fc from 'fast-check';
import type pg from 'pg';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import { legacyFragments } from '../../src/mapping/fragments.js';
import { proveChunk } from '../../src/proof/chunk.js';
import { COUNTERS, type Counters } from '../../src/proof/document.js';
import { NOTHING_FINAL } from '../../src/proof/finality.js';
import { countPlainRows, countersOf, type Counted } from '../../src/proof/plain.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

/*
 * The count of plain rows is a faster reading of the proof: with the chunk over all other rows, it must come to what
 * the chunk over all rows says.
 */

const l = legacyFragments(DEFAULT_SETTINGS);
const whole = { idType: 'bigint', finality: NOTHING_FINAL };
const STORE_APIS = 3;

const DATES = ['null', `'2022-06-01+00'`, `'2100-01-01+00'`];

/** A change past the mirror: of either table, and of the ledger. */
const damage: fc.Arbitrary<string> = fc
  .record({
    id: fc.constantFrom(...MOTLEY.keys.map(({ id }) => String(id))),
    change: fc.oneof(
      fc.constantFrom(
        `update public.account_api_keys set name = 'changed'`,
        `update public.account_api_keys set token = 'changed ' || id`,
        `update public.account_api_keys set account_id = 1`,
        `update public.account_api_keys set origin_api_id = null`,
        `update public.account_api_keys set last_used_at = '2090-01-01+00'`,
        `delete from public.account_api_keys`,
        `delete from public.api_keys`,
        `update public.api_keys set api_id = 4`,
        `update public.api_keys set api_id = 77`,
        `update public.api_keys set account_id = 2`,
        `update public.api_keys set token = ''`,
        `update public.api_keys set created_at = null`,
        `update public.api_keys set last_used_at = '2091-01-01+00'`,
        `delete from keylift.outcomes`,
        `insert into keylift.outcomes (key_id, outcome) select id, 'hold' from public.api_keys`,
        `insert into keylift.holds (key_id) select id from public.api_keys`,
      ),
      fc
        .record({
          table: fc.constantFrom('api_keys', 'account_api_keys'),
          column: fc.constantFrom('revoked_at', 'expires_at'),
          to: fc.constantFrom(...DATES),
        })
        .map(({ table, column, to }) => `update public.${table} set ${column} = ${to}`),
    ),
  })
  .map(
    ({ id, change }) =>
      `${change} where ${change === 'delete from keylift.outcomes' ? 'key_id' : 'id'} =
        ${id}${change.startsWith('insert') ? ' on conflict do nothing' : ''}`,
  );

describe('the count of plain rows', () => {
  let scenario: Scenario;
  let client: pg.Client;
  before(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must(`migrate --yes --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
    client = await scenario.db.connect();
  });
  after(() => scenario.close());

  const chunk = async (rows: 'range' | 'ids', values: unknown[]): Promise<Counters> => {
    const { rows: found } = await client.query<Counters>(proveChunk(l, { rows, ...whole }), values);
    return Object.fromEntries(COUNTERS.map((name) => [name, Number(found[0]![name])])) as Counters;
  };

  async function compare(accountsGuaranteed: boolean): Promise<void> {
    const options = { ...whole, holds: true, accountsGuaranteed };
    const { rows } = await client.query<Counted>(countPlainRows(l, options), [null, null]);
    const plain = countersOf(rows[0]!, STORE_APIS);
    const others = await chunk('ids', [rows[0]!.others]);
    const sum = Object.fromEntries(COUNTERS.map((name) => [name, others[name] + (plain[name] ?? 0)]));
    expect(sum).to.deep.equal(await chunk('range', [null, null]));
  }

  for (const accountsGuaranteed of [true, false]) {
    const how = accountsGuaranteed ? 'a foreign key guarantees the accounts' : 'the accounts are read';
    it(`comes to what the proof of every row says, where ${how}`, async () => {
      await compare(accountsGuaranteed);
      await fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 6 }), async (damages) => {
          await client.query('begin; set local session_replication_role = replica');
          try {
            for (const text of damages) await client.query(text);
            await compare(accountsGuaranteed);
          } finally {
            await client.query('rollback');
          }
        }),
        { numRuns: 100 },
      );
    });
  }

  it('counts most rows of a sound migration', async () => {
    const { rows } = await client.query<Counted>(
      countPlainRows(l, { ...whole, holds: true, accountsGuaranteed: true }),
      [null, null],
    );
    expect(Number(rows[0]!.moved)).to.be.greaterThan(10);
  });
});
