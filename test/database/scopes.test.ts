import { expect } from 'chai';
import { openDatabase, type Database } from '../../src/database/connect.js';
import type { WriteSession } from '../../src/database/session.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';
import { useTestDatabase } from '../support/database.js';

const TERMINATE = 'select pg_terminate_backend($1)';
const rejection = (attempt: Promise<unknown>) =>
  attempt.then(
    () => 'fulfilled',
    (error: unknown) => error as Error & { code?: string },
  );

describe('database scopes', () => {
  const test = useTestDatabase({ schema: 'none' });
  let database: Database;
  beforeEach(async () => {
    database = await openDatabase(test().url, { maxConnections: 2 });
  });
  afterEach(() => database.close());

  const backend = async (session: WriteSession) =>
    (await session.one<{ pid: number }>('select pg_backend_pid() pid')).pid;

  it('commits what a transaction did, and rolls back what it threw over', async () => {
    await database.transaction((session) => session.query('create table t (id bigint)'), { name: 'test' });
    await rejection(
      database.transaction(
        async (session) => {
          await session.query('insert into t values (1)');
          throw new Error('no');
        },
        { name: 'test' },
      ),
    );
    await database.transaction((session) => session.query('insert into t values ($1)', ['9223372036854775807']), {
      name: 'test',
    });
    expect((await database.readOnly((session) => session.query('select id from t'))).rows).to.deep.equal([
      { id: '9223372036854775807' },
    ]);
  });

  it('sets what it was asked to for the transaction alone', async () => {
    const settings = `select current_setting('lock_timeout') lock, current_setting('statement_timeout') statement,
      current_setting('synchronous_commit') sync, current_setting('transaction_isolation') isolation,
      current_setting('idle_in_transaction_session_timeout') idle`;
    const before = await database.withSession((session) => session.one(settings), { name: 'test' });
    const inside = await database.transaction((session) => session.one(settings), {
      name: 'test',
      lockTimeoutMs: 50,
      statementTimeoutMs: 1500,
      asynchronousCommit: true,
      isolation: 'repeatable read',
    });
    expect(inside).to.deep.equal({
      lock: '50ms',
      statement: '1500ms',
      sync: 'off',
      isolation: 'repeatable read',
      idle: '1min',
    });
    const after = await database.withSession((session) => session.one(settings), { name: 'test' });
    expect(after).to.deep.equal(before);
  });

  it('lets a reading scope write nothing', async () => {
    const error = await rejection(database.readOnly((session) => session.query('create table u (id int)')));
    expect(error).to.have.property('code', '25006');
  });

  it('keeps timestamps to the microsecond, as text', async () => {
    await database.withSession((session) => session.query(`set datestyle = 'German'`), { name: 'test' });
    const row = await database.readOnly((session) =>
      session.one(
        `select '2020-01-02 03:04:05.123456'::timestamp t, array['2020-01-02 03:04:05.123456'::timestamp] a,
          '2020-01-02'::date d`,
      ),
    );
    expect(row).to.deep.equal({ t: '2020-01-02 03:04:05.123456', a: ['2020-01-02 03:04:05.123456'], d: '2020-01-02' });
  });

  it('has nothing compiled, and leaves the session as it was', async () => {
    const jit = `select current_setting('jit') jit`;
    await database.withSession((session) => session.query('set jit = on'), { name: 'test' });
    const inside = [
      await database.readOnly((session) => session.one(jit)),
      await database.transaction((session) => session.one(jit), { name: 'test' }),
    ];
    expect(inside).to.deep.equal([{ jit: 'off' }, { jit: 'off' }]);
    expect(await database.withSession((session) => session.one(jit), { name: 'test' })).to.deep.equal({ jit: 'on' });
  });

  it('does not let a swallowed error pass for a commit', async () => {
    const error = await rejection(
      database.transaction(
        async (session) => {
          await rejection(session.query('selec'));
        },
        { name: 'test' },
      ),
    );
    expect((error as Error).message).to.match(/nothing was committed/);
  });

  it('names a connection lost during a statement, and between two', async () => {
    const during = await rejection(
      database.transaction(
        async (session) => {
          const pid = await backend(session);
          const sleeping = rejection(session.query('select pg_sleep(30)'));
          await database.withSession((other) => other.query(TERMINATE, [pid]), { name: 'test' });
          throw (await sleeping) as Error;
        },
        { name: 'test' },
      ),
    );
    const between = await rejection(
      database.transaction(
        async (session) => {
          const pid = await backend(session);
          await database.withSession(
            async (other) => {
              await other.query(TERMINATE, [pid]);
              const gone = () =>
                other.one<{ gone: boolean }>('select not exists (select from pg_stat_activity where pid = $1) gone', [
                  pid,
                ]);
              while (!(await gone()).gone);
            },
            { name: 'test' },
          );
          await session.query('select 1');
        },
        { name: 'test' },
      ),
    );
    for (const error of [during, between]) {
      expect(error).to.be.instanceOf(KeyliftError).and.include({ code: 'connection_lost', exitCode: 5 });
    }
  });

  it('survives connections that end while idle', async () => {
    const pid = await database.withSession(backend, { name: 'test' });
    const client = await test().connect();
    await client.query(TERMINATE, [pid]);
    await rejection(database.withSession((session) => session.query('select 1'), { name: 'test' })); // may still meet the dying one
    const sums = await Promise.all(
      [1, 2, 3, 4, 5].map((n) =>
        database.transaction((session) => session.one('select $1::int n', [n]), { name: 'test' }),
      ),
    );
    expect(sums).to.deep.equal([1, 2, 3, 4, 5].map((n) => ({ n })));
  });

  it('does not lend a session beyond its scope, nor one with an open transaction to the next', async () => {
    let kept: WriteSession | undefined;
    await database.withSession(
      async (session) => {
        kept = session;
        await session.query('BEGIN');
      },
      { name: 'test' },
    );
    expect(await rejection(kept!.query('select 1')))
      .to.be.instanceOf(Error)
      .with.property('message')
      .that.matches(/after its scope/);
    const { state } = await database.withSession(
      (session) => session.one<{ state: boolean }>('select now() = statement_timestamp() state'),
      { name: 'test' },
    );
    expect(state).to.be.true;
  });

  it("runs several statements at once and answers with the last one's rows", async () => {
    expect(
      await database.withSession((session) => session.query('select 1 as a; select 2 as b'), { name: 'test' }),
    ).to.deep.include({ rows: [{ b: 2 }], rowCount: 1 });
  });
});
