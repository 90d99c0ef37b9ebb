import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import type { EmbeddedServer } from '../../src/embedded/server.js';
import { startEmbeddedServer } from '../../src/embedded/server.js';
import { MOTLEY } from '../support/motley.js';
import { databaseOf } from '../support/own-server.js';
import { Scenario } from '../support/scenario.js';
import { until } from '../support/waiting.js';

const SETTINGS = { fsync: 'off', full_page_writes: 'off', wal_level: 'logical', max_prepared_transactions: '5' };

describe('a server of a test of its own', function () {
  this.timeout(120_000);
  let server: EmbeddedServer;
  let scenario: Scenario;
  before(async () => {
    const major = process.env['KEYLIFT_TEST_PG'];
    server = await startEmbeddedServer({
      settings: { ...SETTINGS, max_connections: '60', shared_buffers: '32MB' },
      ...(major ? { majorVersion: Number(major) } : {}),
    });
  });
  after(() => server.stop());
  let count = 0;
  beforeEach(async () => {
    count += 1;
    scenario = await Scenario.of(MOTLEY, { database: await databaseOf(server, `shop_${String(count)}`) });
  });
  afterEach(() => scenario.close());

  const gates = async (): Promise<(string | null)[]> => {
    const { stdout } = await keylift('check --json', { env: { DATABASE_URL: scenario.db.url } });
    return (JSON.parse(stdout) as { surroundings: { gate: string | null; severity: string }[] }).surroundings
      .filter(({ severity }) => severity === 'gate')
      .map(({ gate }) => gate);
  };
  const refused = async (line: string, gate: string): Promise<void> => {
    const { exitCode, stderr } = await scenario.run(line);
    expect([exitCode, stderr.includes(`#gate-${gate}`)], stderr).to.deep.equal([3, true]);
  };

  it("refuses a key table that is a subscriber's copy, also while the subscription is disabled", async () => {
    const publisher = await databaseOf(server, `publisher_${String(count)}`);
    await publisher.query('create publication keys for table public.api_keys');
    await publisher.query(`select pg_create_logical_replication_slot('shop_keys', 'pgoutput')`);
    const from = new URL(publisher.url);
    await scenario.db.query(
      `create subscription keys connection 'host=${from.hostname} port=${from.port} user=${from.username} password=${from.password} dbname=${from.pathname.slice(1)}'
       publication keys with (create_slot = false, slot_name = 'shop_keys', enabled = true, copy_data = false)`,
    );
    try {
      expect(await gates()).to.deep.equal(['subscriber']);
      await refused('migrate --yes', 'subscriber');
      await scenario.db.query('alter subscription keys disable');
      await refused('migrate --yes', 'subscriber');
    } finally {
      await scenario.db.query('alter subscription keys disable');
      await scenario.db.query('alter subscription keys set (slot_name = none)');
      await scenario.db.query('drop subscription keys');
    }
    await scenario.must('migrate --yes', 6);
    await until('the slot to be free', async () => {
      const rows = await publisher.query(`select from pg_replication_slots where slot_name = 'shop_keys' and active`);
      return rows.length === 0;
    });
    await publisher.query(`select pg_drop_replication_slot('shop_keys')`);
    await publisher.drop();
  });

  it('names a prepared transaction that has locked the keys, young or forgotten', async () => {
    const client = await scenario.db.connect();
    await client.query(`begin; update public.api_keys set name = name where id = 1; prepare transaction 'it''s left'`);
    try {
      const { stdout } = await keylift('check --json', { env: { DATABASE_URL: scenario.db.url } });
      const { surroundings } = JSON.parse(stdout) as { surroundings: Record<string, string>[] };
      expect(surroundings).to.have.length(1);
      expect(surroundings[0]).to.deep.include({ kind: 'prepared_transaction', severity: 'warning' });
      expect(surroundings[0]!['fact']).to.match(/^of postgres, for \d+ s, has locked public\.api_keys$/);
      expect(surroundings[0]!['object']).to.equal("prepared transaction it's left");
    } finally {
      await client.query(`rollback prepared 'it''s left'`);
    }
    expect(await gates()).to.deep.equal([]);
  });

  it('refuses where synchronous standbys are away, and works once no standby is waited for', async () => {
    await scenario.db.query(`alter system set synchronous_standby_names = 'FIRST 1 (another)'`);
    await scenario.db.query('select pg_reload_conf()');
    try {
      await until('the setting to be there', async () => {
        const [row] = await scenario.db.query<{ names: string }>(
          `select current_setting('synchronous_standby_names') as names`,
        );
        return row!.names !== '';
      });
      expect(await gates()).to.deep.equal(['synchronous_standby']);
      await refused('migrate --yes', 'synchronous-standby');
      await scenario.db.query(
        `set synchronous_commit = local; alter database ${scenario.db.name} set synchronous_commit = local`,
      );
      expect(await gates()).to.deep.equal([]);
      await scenario.must('migrate --yes', 6);
      await scenario.must('rollback --yes');
    } finally {
      await scenario.db.query('alter system reset synchronous_standby_names');
      await scenario.db.query('select pg_reload_conf()');
    }
  });
});
