import { expect } from 'chai';
import type pg from 'pg';
import { openDatabase, type Database } from '../../src/database/connect.js';
import type { KeyliftError } from '../../src/errors/keylift-error.js';
import { useTestDatabase } from '../support/database.js';
import { Proxy } from '../support/proxy.js';
import { until } from '../support/waiting.js';

/** Long enough for a busy machine to let us in, short enough to wait for. */
const BEAT_MS = 250;
/** Waits for a lock of the test's, for as long as it is held. */
const LONG = 'select pg_advisory_xact_lock(77) as of_the_test';

const failure = (work: Promise<unknown>): Promise<KeyliftError | 'done'> =>
  work.then(
    () => 'done',
    (error: unknown) => error as KeyliftError,
  );

describe('a connection that says nothing', () => {
  const test = useTestDatabase({ schema: 'none' });
  let proxy: Proxy;
  let database: Database;
  let holder: pg.Client;
  beforeEach(async () => {
    proxy = await Proxy.before(test().url);
    database = await openDatabase(proxy.url(test().url), { beatMs: BEAT_MS });
    holder = await test().connect();
    await holder.query('select pg_advisory_lock(77)');
  });
  afterEach(async () => {
    await release();
    await proxy.close();
    await database.close();
  });

  const release = () => holder.query('select pg_advisory_unlock_all()');
  const ours = () =>
    test().query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and query = $1`,
      [LONG],
    );

  it('is waited for as long as the server is at work on what was asked', async () => {
    const answered = failure(database.readOnly((session) => session.query(LONG)));
    const { connections } = proxy;
    await until(
      'it to be asked after more often than a silence is suffered',
      () => proxy.connections > connections + 5,
    );
    await release();
    expect(await answered).to.equal('done');
  });

  it('is given up when nobody answers at all, and says so', async () => {
    const sent = proxy.stallDuring(/of_the_test/);
    const answered = failure(database.readOnly((session) => session.query(LONG)));
    await sent;
    const error = await answered;
    expect(error).to.include({ code: 'database_silent', exitCode: 5 });
    expect((error as KeyliftError).message).to.match(
      /^the database at 127\.0\.0\.1:\d+ has given no answer for 1\.5 s$/,
    );
  });

  it('is given up outside of a transaction, too', async () => {
    const sent = proxy.stallDuring(/of_the_test/);
    const answered = failure(database.withSession((session) => session.query(LONG), { name: 'test' }));
    await sent;
    expect(await answered).to.include({ code: 'database_silent', exitCode: 5 });
  });

  it('is lost when the server has answered and the answer does not come', async () => {
    const sent = proxy.forgetDuring(/of_the_test/);
    const answered = failure(database.readOnly((session) => session.query(LONG)));
    await sent;
    await release();
    const error = await answered;
    expect(error).to.include({ code: 'connection_lost', exitCode: 5 });
    expect((error as KeyliftError).message).to.include('the server is not working on the statement');
  });

  it('is lost when the server has ended the session and nobody told', async () => {
    const sent = proxy.forgetDuring(/of_the_test/);
    const answered = failure(database.transaction((session) => session.query(LONG), { name: 'test' }));
    await sent;
    await until('the server to be at work', async () => (await ours()).length === 1);
    await test().query('select pg_terminate_backend($1, 10000)', [(await ours())[0]!.pid]);
    expect(await answered).to.include({ code: 'connection_lost', exitCode: 5 });
  });

  it('leaves the others alone', async () => {
    const sent = proxy.forgetDuring(/of_the_test/);
    const answered = failure(database.readOnly((session) => session.query(LONG)));
    await sent;
    const other = failure(database.readOnly((session) => session.query(`${LONG}_again`)));
    await until(
      'the server to be at work on both',
      async () =>
        (
          await test().query(
            `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
          )
        ).length === 2,
    );
    await test().query('select pg_terminate_backend($1, 10000)', [(await ours())[0]!.pid]);
    expect(await answered).to.include({ code: 'connection_lost' });
    await release();
    expect(await other).to.equal('done');
  });
});
