import { expect } from 'chai';
import { DEFAULT_SETTINGS } from '../../src/config/defaults.js';
import type { EmbeddedServer } from '../../src/embedded/server.js';
import { keylift, type Outcome } from '../cli/harness.js';
import { LEGACY_SCHEMA, type TestDatabase } from '../support/database.js';
import { databaseOf, startOwnServer } from '../support/own-server.js';
import { until } from '../support/waiting.js';
import { legacyWith, useDirectories } from './case-directory.js';

/** Once the ledger is there, every question which API is in the store reads a catalog that all databases share. */
const SCHEMA = `${LEGACY_SCHEMA}
  create function public.is_store(kind text) returns boolean stable language plpgsql as $$ begin
    if to_regclass('keylift.batches') is not null then perform from pg_catalog.pg_shdescription; end if;
    return kind = 'store';
  end $$;`;
const { apis } = DEFAULT_SETTINGS.legacy;
const SETTINGS = {
  ...DEFAULT_SETTINGS,
  legacy: { ...DEFAULT_SETTINGS.legacy, apis: { ...apis, inStore: { sql: 'public.is_store(a.kind)' } } },
};
const { accounts, apis: rows, keys } = legacyWith();
const CASE = {
  'schema.sql': SCHEMA,
  'keylift.config.json': SETTINGS,
  'legacy.json': { tables: { 'public.accounts': accounts, 'public.apis': rows, 'public.api_keys': keys } },
};

describe('snapshot, stopped by a signal', () => {
  const write = useDirectories();
  let server: EmbeddedServer;
  let db: TestDatabase;
  before(async () => {
    server = await startOwnServer();
    db = await databaseOf(server, 'watched');
  });
  after(() => server.stop());

  const WAITING = `select from pg_stat_activity where application_name like 'keylift%' and wait_event_type = 'Lock'`;
  const scratchDatabases = () => db.query(`select datname from pg_database where datname like 'keylift_snapshot%'`);
  const env = (): Record<string, string> => ({ DATABASE_URL: server.url('watched') });

  /** Runs the command until it waits for the lock, sends the signal, and gives the lock back. */
  const stopped = async (line: string, lock: string): Promise<Outcome> => {
    const holder = await db.connect();
    await holder.query(`begin; ${lock}`);
    const ended = keylift(line, {
      env: env(),
      run: async (context, { run, send }) => {
        const running = run(context);
        await until('it to wait for the lock', async () => (await db.query(WAITING)).length > 0);
        send('SIGINT');
        await holder.query('rollback');
        return running;
      },
    });
    return ended.finally(() => holder.end());
  };

  for (const [what, lock] of [
    ['before its first case', `comment on database template0 is 'locked'`],
    ['in the migration of a case', 'lock pg_catalog.pg_shdescription in access exclusive mode'],
  ] as const) {
    for (const action of ['update', 'check']) {
      it(`${action} ends ${what} with 130, leaves no database, and completes when it is run again`, async () => {
        const folder = await write(CASE);
        const line = `snapshot ${action} ${folder}`;
        if (action === 'check') await keylift(`snapshot update ${folder}`, { env: env() });
        const { exitCode, stdout, stderr } = await stopped(line, lock);
        expect([exitCode, stdout], stderr).to.deep.equal([130, '']);
        expect(stderr).to.include('keylift: the command was stopped on request; the scratch database was dropped\n');
        expect(await scratchDatabases()).to.deep.equal([]);
        const again = await keylift(line, { env: env() });
        expect(again.exitCode, again.stdout + again.stderr).to.equal(0);
      });
    }
  }
});
