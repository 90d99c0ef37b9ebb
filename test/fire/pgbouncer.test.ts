import { expect } from 'chai';
import { knexCli } from '../knex/knex-cli.js';
import { startChild } from '../support/child.js';
import { assertInvariants } from '../support/invariants.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { PGBOUNCER, startPooler, type Pooler } from '../support/pgbouncer.js';
import { Platform } from '../support/platform.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { STATIONS } from '../support/stations.js';
import { gateAt, until, waitingSessions } from '../support/waiting.js';
import { lastWord, tell } from './verdict.js';

/** Fewer server connections than one keylift opens, so that its sessions change hands all the time. */
const POOL_SIZE = 3;
const KEYS = 1_500;
const PACE = '--batch-size 100 --concurrency 2';

const suite = PGBOUNCER === null ? describe.skip : describe;

suite(`through PgBouncer in transaction mode (${PGBOUNCER ?? 'skipped: pgbouncer is not installed'})`, function () {
  this.timeout(180_000);
  let pooler: Pooler;
  let scenario: Scenario;
  beforeEach(async () => {
    pooler = await startPooler({ poolSize: POOL_SIZE });
  });
  afterEach(async () => {
    await scenario.close();
    await pooler.stop();
  });

  const through = (database: string): string => pooler.url(database);
  const open = async (keys = KEYS): Promise<void> => {
    scenario = await Scenario.open({ through });
    await plantMany(scenario.db, { keys });
  };
  const openMotley = async (): Promise<string> => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS, through });
    return `--holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`;
  };

  /** Transactions that the pooler has put through, and the server connections it has for this database. */
  const traffic = async (): Promise<{ transactions: number; servers: number }> => {
    const ours = (row: Record<string, unknown>): boolean => row.database === scenario.db.name;
    const stats = (await pooler.console('SHOW STATS')).filter(ours);
    const servers = (await pooler.console('SHOW SERVERS')).filter(ours);
    return { transactions: Number(stats[0]?.total_xact_count ?? 0), servers: servers.length };
  };

  it('goes the whole way and back, and comes to what it comes to without a pooler', async () => {
    const holds = await openMotley();
    const legacy = await scenario.legacyDigest();
    let pairs = 0;
    for (const [command, switched] of STATIONS) {
      await scenario.must(command.startsWith('migrate') ? `${command} ${holds}` : command, 0, 6);
      pairs += (await scenario.everyPair(switched)) + (await scenario.everyView(switched));
    }
    await scenario.must('verify');
    await assertInvariants(scenario.db);
    const direct = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    try {
      await direct.must(`migrate --yes --holds ${await direct.file('holds.csv', MOTLEY_HOLDS.csv)}`, 6);
      expect(await scenario.targetDigest()).to.equal(await direct.targetDigest());
    } finally {
      await direct.close();
    }
    await scenario.must('finalize --yes');
    await scenario.must('rollback --yes');
    expect(await scenario.legacyDigest()).to.equal(legacy);
    const { transactions, servers } = await traffic();
    expect(servers).to.be.within(1, POOL_SIZE);
    await lastWord(scenario, {
      'transactions through': transactions,
      connections: servers,
      'pairs at the stations': pairs,
    });
  });

  it('answers every other command, and lets Knex take everything away', async () => {
    const holds = await openMotley();
    for (const line of [
      'check',
      'plan --rehearse',
      'status',
      `migrate --yes ${holds}`,
      'explain 1',
      'status --json',
      'tune --concurrency 1',
      'pause',
      'resume',
      'plan',
      'rollback --yes',
    ]) {
      await scenario.must(line, 0, 6);
    }
    const { exitCode, stderr } = await knexCli(['migrate:rollback', '--all'], { DATABASE_URL: scenario.url });
    expect(exitCode, stderr).to.equal(0);
    const left = await scenario.db.query<{ name: string }>(
      `select relname as name from pg_class where relkind in ('r', 'v') and relnamespace = to_regnamespace('keylift')
        or relname = 'account_api_keys'`,
    );
    expect(left.map(({ name }) => name).filter((name) => !name.startsWith('knex_migrations'))).to.deep.equal([]);
  });

  it('is done by two runs at once, with the platform writing beside them', async () => {
    await open();
    await scenario.must('migrate --yes --until expand');
    // One batch at once, and that one is held: what is left cannot be done before the second comes.
    const gate = await gateAt(scenario.db, 3, { kept: true });
    const first = scenario.start('migrate --yes --batch-size 100 --concurrency 1');
    await until('the first to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
    const second = scenario.start(`migrate --yes ${PACE}`);
    await until(
      'the second to do a batch',
      async () =>
        (
          await scenario.db.query(
            `select from keylift.batches b join keylift.runs r using (run_id)
              where b.state = 'done' and r.run_id <> (select owner from keylift.control)`,
          )
        ).length > 0,
    );
    const platform = await Platform.start(scenario.db, { keys: KEYS });
    await gate.remove();
    const runs = [(await first.ended).exitCode, (await second.ended).exitCode];
    await platform.stop();
    expect([
      [0, 0],
      [6, 6],
      [0, 6],
      [6, 0],
    ]).to.deep.include(runs);
    expect(platform.refused.slice(0, 3)).to.deep.equal([]);
    await lastWord(scenario, { runs: 2, 'writes beside them': platform.written });
  });

  it('writes nothing for a run that was stopped past its lease and woken', async () => {
    await open();
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 3);
    const asleep = startChild('migrate --yes --batch-size 100 --concurrency 1', { url: scenario.url });
    await until('it to get to the gate', async () => (await waitingSessions(scenario.db)) > 0);
    asleep.process.kill('SIGSTOP');
    await scenario.endLease();
    const second = scenario.start('migrate --yes --batch-size 100 --concurrency 1');
    await until(
      'the second to do all but the range that is held',
      async () => (await scenario.db.query('select from keylift.batches where open')).length === 1,
    );
    await gate.open();
    asleep.process.kill('SIGCONT');
    expect(await asleep.exited, asleep.output().stderr).to.equal(3);
    expect(asleep.output().stderr).to.include('lease');
    const { exitCode, stderr } = await second.ended;
    expect(exitCode, stderr).to.equal(0);
    await gate.remove();
    await lastWord(scenario, { 'batches done': await scenario.batchesDone() });
  });

  it('tells whom a step waits for, and obeys Ctrl-C while it waits', async () => {
    const holds = await openMotley();
    await scenario.must(`migrate --yes --until backfill ${holds}`, 6);
    const writer = await scenario.db.connect();
    await writer.query(
      `set application_name = 'the night shift'; begin; insert into public.account_api_keys (account_id, name, token)
        values (4, 'x', 'not committed')`,
    );
    const migration = scenario.start('migrate --yes');
    await until('it to say whom it waits for', () => migration.stderrSoFar().includes('the night shift'));
    migration.signal('SIGINT');
    const { exitCode, stderr } = await migration.ended;
    await writer.query('rollback');
    expect(exitCode, stderr).to.equal(130);
    await lastWord(scenario);
  });

  it('ends with 5 when the pooler goes away, and goes on through the next one', async () => {
    await open();
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 3);
    const migration = scenario.start(`migrate --yes ${PACE}`);
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    await pooler.stop();
    await gate.remove();
    const { exitCode, stderr, stdout } = await migration.ended;
    expect([exitCode, stdout], stderr).to.deep.equal([5, '']);
    expect(stderr)
      .to.match(/cannot reach the database|lost the connection|given no answer/)
      .and.not.match(/\n +at /);
    const done = await scenario.batchesDone();
    pooler = await startPooler({ poolSize: POOL_SIZE });
    const next = await Scenario.open({ database: scenario.db, through });
    await next.endLease();
    await lastWord(next, { 'batches done before': done });
  });

  it('finishes under a statement timeout of 50 ms, but for a build that has to wait: that one says what to do', async () => {
    const hasty = await startPooler({ poolSize: POOL_SIZE, connectQuery: 'set statement_timeout = 50' });
    try {
      scenario = await Scenario.open({ through: (database) => hasty.url(database) });
      await plantMany(scenario.db, { keys: KEYS });
      await scenario.must('migrate --yes --until backfill');
      const writer = await scenario.db.connect();
      await writer.query(
        `begin; insert into public.account_api_keys (account_id, name, token) values (4, 'x', 'not committed')`,
      );
      const { stderr } = await scenario.must('migrate --yes', 5);
      expect(stderr)
        .to.include('07_indexes was cut off')
        .and.include('see runbook.md#step-cut-off')
        .and.not.match(/\n +at /);
      await writer.query('rollback');
      // As the runbook has it: the limit lifted, and new server connections.
      await hasty.stop();
      await lastWord(await Scenario.open({ database: scenario.db, through }));
    } finally {
      await hasty.stop();
    }
  });

  it('leaves nothing behind in the sessions it had', async () => {
    await openMotley();
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    const servers = (await pooler.console('SHOW SERVERS')).filter((row) => row.database === scenario.db.name).length;
    const seen = await sessionsOf(scenario, POOL_SIZE);
    expect(seen.length).to.be.at.least(servers);
    for (const session of seen)
      expect(session.state).to.deep.equal({ settings: [], prepared: '0', temporary: '0', locks: '0' });
    tell({ 'sessions looked at': seen.length });
  });
});

/** Everything a session keeps beyond its transactions: what was SET, prepared, made for it alone, or locked. */
const LEFT_BEHIND = `
  select pg_backend_pid() as pid, json_build_object(
    'settings', (select coalesce(json_agg(name order by name), '[]') from pg_settings
      where source = 'session' and name not in ('application_name', 'client_encoding', 'DateStyle', 'TimeZone',
        'standard_conforming_strings', 'transaction_read_only', 'transaction_isolation', 'transaction_deferrable')
        and setting <> ''),
    'prepared', (select count(*)::text from pg_prepared_statements),
    'temporary', (select count(*)::text from pg_class where relpersistence = 't' and pg_table_is_visible(oid)),
    'locks', (select count(*)::text from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())) as state`;

/** Asks every server connection of the pool: as many transactions at once as it has. */
async function sessionsOf(scenario: Scenario, poolSize: number): Promise<{ pid: number; state: unknown }[]> {
  const { Client } = (await import('pg')).default;
  const clients = Array.from({ length: poolSize }, () => new Client({ connectionString: scenario.url }));
  try {
    await Promise.all(clients.map((client) => client.connect()));
    const seen: { pid: number; state: unknown }[] = [];
    for (const client of clients)
      seen.push(
        (
          (await client.query<{ pid: number; state: unknown }>(`begin; ${LEFT_BEHIND}`)) as unknown as {
            rows: { pid: number; state: unknown }[];
          }[]
        )[1]!.rows[0]!,
      );
    expect(new Set(seen.map(({ pid }) => pid)).size).to.equal(poolSize);
    return seen;
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}
