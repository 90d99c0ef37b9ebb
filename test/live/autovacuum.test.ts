import { expect } from 'chai';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import type { TestDatabase } from '../support/database.js';
import { databaseOf } from '../support/own-server.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

const KEYS = 2_000;

/** Its vacuum begins within a second of the first dead row, and then takes a minute or more. */
const slowVacuum = (
  table: string,
): string => `alter table ${table} set (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1)`;

/** The worker that vacuums this table, which keeps DDL out as long as it does. */
async function vacuumOf(db: TestDatabase, table: string): Promise<number> {
  for (;;) {
    const [row] = await db.query<{ pid: number }>(
      `select l.pid from pg_locks l join pg_stat_activity a using (pid)
      where l.relation = $1::regclass and l.granted and l.mode = 'ShareUpdateExclusiveLock'
        and a.backend_type = 'autovacuum worker'`,
      [table],
    );
    if (row !== undefined) return row.pid;
  }
}

/** How many came to their end; one that gave way is not counted. */
async function ended(db: TestDatabase, table: string): Promise<number> {
  const [row] = await db.query<{ n: string }>(
    'select autovacuum_count as n from pg_stat_all_tables where relid = $1::regclass',
    [table],
  );
  return Number(row!.n);
}

describe('autovacuum at work on a table that a step needs for itself', function () {
  this.timeout(120_000);
  let server: EmbeddedServer;
  let scenario: Scenario;
  before(async () => {
    server = await startEmbeddedServer({
      settings: { fsync: 'off', shared_buffers: '32MB', autovacuum_naptime: '1s', max_connections: '30' },
    });
  });
  after(() => server.stop());
  beforeEach(async () => {
    const database = await databaseOf(server, `vacuumed_${String(Date.now())}`);
    scenario = await Scenario.open({ database });
    await plantMany(database, { keys: KEYS });
  });
  afterEach(() => scenario.close());

  it('gives way to a step of DDL, as it does to everybody who waits for longer than a moment', async () => {
    await scenario.db.query(slowVacuum('public.api_keys'));
    await scenario.db.query('update public.api_keys set name = name');
    const worker = await vacuumOf(scenario.db, 'public.api_keys');
    const before = await ended(scenario.db, 'public.api_keys');
    const { stderr } = await scenario.must('migrate --yes --until expand');
    expect(stderr).to.match(/waiting: autovacuum is at work on (public\.)?api_keys; PostgreSQL has it give way/);
    expect(await ended(scenario.db, 'public.api_keys')).to.equal(before);
    const still = await scenario.db.query(
      `select from pg_locks where pid = $1 and relation = 'public.api_keys'::regclass`,
      [worker],
    );
    expect(still).to.deep.equal([]);
  });

  it('gives way to a purge', async () => {
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
    await scenario.db.query(slowVacuum('keylift.archived_keys'));
    await scenario.db.query('update keylift.archived_keys set name = name');
    await vacuumOf(scenario.db, 'keylift.archived_keys');
    const before = await ended(scenario.db, 'keylift.archived_keys');
    const { stderr } = await scenario.must('finalize --purge --yes');
    expect(stderr).to.match(/waiting: autovacuum is at work on keylift\.archived_keys; PostgreSQL has it give way/);
    expect(await ended(scenario.db, 'keylift.archived_keys')).to.equal(before);
    expect(await scenario.db.query('select from keylift.archived_keys')).to.deep.equal([]);
  });
});
