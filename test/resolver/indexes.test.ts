import { expect } from 'chai';
import type pg from 'pg';
import { Scenario } from '../support/scenario.js';
import { plantMany, TOKEN_MARK } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';

const KEYS = 100_000;

/** Each leaves the resolver in another state. */
const STATIONS = [
  'migrate --yes --until expand',
  'migrate --yes --until backfill',
  'migrate --yes --until harden',
  'migrate --yes --until verify',
  'switch --cohort 5% --yes',
  'switch --cohort 60% --yes',
  'switch --all --yes',
  'switch --cohort 30% --back --yes',
  'rollback --yes',
];

interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  Plans?: PlanNode[];
}

function relationsScanned(node: PlanNode): string[] {
  const here = node['Node Type'] === 'Seq Scan' ? [node['Relation Name'] ?? ''] : [];
  return [...here, ...(node.Plans ?? []).flatMap(relationsScanned)];
}

/** What a gateway asks: known tokens and unknown ones, of the store and custom. Run in one transaction. */
async function ask(client: pg.Client): Promise<void> {
  for (const token of [`${TOKEN_MARK}shared7`, 'nobody has this one']) {
    for (const api of [1, 4, 99]) await client.query('select * from keylift.authorize($1, $2)', [token, api]);
  }
  for (const n of [1, 7, 10, 99_999])
    await client.query(`select * from keylift.authorize('${TOKEN_MARK}' || md5($1::text), $2)`, [n, 2]);
}

describe('the resolver with 100,000 keys', () => {
  let scenario: Scenario;
  let gateway: pg.Client;
  before(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
    // Exceptions and merges, so that every branch has something to look for: both tables answer for one of the tokens.
    await scenario.db.query(`
      update public.api_keys set token = '${TOKEN_MARK}shared' || id / 600 where id % 300 = 3;
      insert into public.api_keys (account_id, api_id, token, created_at)
        values (900000, 2, '${TOKEN_MARK}' || md5('1'), now());
      analyze public.api_keys`);
    gateway = await scenario.db.connect();
  });
  after(() => scenario.close());

  const bigTables = async (): Promise<Set<string>> => {
    const rows = await scenario.db.query<{ name: string }>(`
      select relname as name from pg_class where relname = any ('{api_keys,account_api_keys,accounts,outcomes}')
        and pg_relation_size(oid) > 100000`);
    return new Set(rows.map(({ name }) => name));
  };

  for (const station of [...STATIONS, 'migrate --yes --until backfill', 'migrate --yes']) {
    it(`reads no big table from end to end after ${station}`, async () => {
      // In these transactions plans are made for a small table, and kept by the session.
      for (let call = 0; call < 8; call += 1) if ((await scenario.batchesDone()) > 0) await ask(gateway);
      await scenario.must(station, 0, 6);
      const big = await bigTables();
      await gateway.query('begin');
      await ask(gateway);
      const { rows: scans } = await gateway.query<{ name: string; seq: string; index: string }>(
        'select relname as name, seq_scan as seq, idx_scan as index from pg_stat_xact_user_tables order by 1',
      );
      await gateway.query('commit');
      expect(
        scans.filter(({ name, seq }) => big.has(name) && Number(seq) > 0),
        'authorize',
      ).to.deep.equal([]);
      expect(
        scans.some(({ index }) => Number(index) > 0),
        'an index was used',
      ).to.equal(true);
    });

    it(`answers an old gateway from indexes after ${station}`, async () => {
      const big = await bigTables();
      for (const mode of ['force_custom_plan', 'force_generic_plan']) {
        await gateway.query(`set plan_cache_mode = ${mode}; deallocate all`);
        await gateway.query(
          'prepare old_gateway (text, bigint) as select * from keylift.per_api_keys where token = $1 and api_id = $2',
        );
        const {
          rows: [plan],
        } = await gateway.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
          `explain (format json) execute old_gateway ('${TOKEN_MARK}' || md5('7'), 2)`,
        );
        const scanned = relationsScanned(plan!['QUERY PLAN'][0].Plan).filter((name) => big.has(name));
        expect(scanned, `${mode}: ${JSON.stringify(plan)}`).to.deep.equal([]);
      }
      await gateway.query('reset plan_cache_mode');
    });
  }

  it('keeps to the indexes in a session that has known the table empty, while the next backfill fills it', async () => {
    await scenario.must('rollback --yes');
    await scenario.must('migrate --yes --until expand');
    for (let call = 0; call < 8; call += 1) await ask(gateway);
    const gate = await gateAt(scenario.db, 3 * 90_001);
    const migration = scenario.start('migrate --yes --until backfill --concurrency 1');
    await until(
      'most keys to be there',
      async () => (await scenario.db.query('select from public.account_api_keys where id = 150006')).length > 0,
    );
    await gateway.query('begin');
    await ask(gateway);
    const { rows } = await gateway.query<{ seq: string }>(
      `select seq_scan as seq from pg_stat_xact_user_tables where relname = 'account_api_keys'`,
    );
    await gateway.query('commit');
    await gate.remove();
    await migration.ended;
    expect(rows.map(({ seq }) => seq)).to.deep.equal(['0']);
  });
});
