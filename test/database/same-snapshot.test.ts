import { expect } from 'chai';
import { openDatabase, type Database } from '../../src/database/connect.js';
import { openSameSnapshot, keptAwake } from '../../src/database/same-snapshot.js';
import type { ReadSession } from '../../src/database/session.js';
import { useTestDatabase } from '../support/database.js';
import { until } from '../support/waiting.js';

const PID = 'select pg_backend_pid() as pid';

describe('a second session in the same snapshot', () => {
  const test = useTestDatabase({ schema: 'none' });
  let database: Database;
  afterEach(() => database.close());
  const open = async (maxConnections: number): Promise<void> => {
    database = await openDatabase(test().url, { maxConnections });
    await test().query('create table if not exists t (id int); truncate t; insert into t values (1)');
  };
  const count = async (session: ReadSession): Promise<string> =>
    (await session.one<{ n: string }>('select count(*) n from t')).n;

  it('sees what the first one sees, whatever came between', async () => {
    await open(2);
    const seen = await database.readOnly(
      async (session) => {
        const beside = await openSameSnapshot(database, session);
        await test().query('insert into t values (2)');
        return beside(
          async (other) => [
            await count(other),
            await count(session),
            (await other.one<{ pid: number }>(PID)).pid === (await session.one<{ pid: number }>(PID)).pid,
          ],
          new Promise(() => undefined),
        );
      },
      { isolation: 'repeatable read' },
    );
    expect(seen).to.deep.equal(['1', '1', false]);
    expect(await database.readOnly(count)).to.equal('2');
  });

  it('is done without, once the first one has nothing else to do', async () => {
    await open(1);
    const same = await database.readOnly(
      async (session) => {
        const beside = await openSameSnapshot(database, session);
        const mine = session.one<{ pid: number }>(PID);
        return beside(async (other) => (await other.one<{ pid: number }>(PID)).pid === (await mine).pid, mine);
      },
      { isolation: 'repeatable read' },
    );
    expect(same).to.equal(true);
    expect(await database.readOnly(count), 'the connection is free again').to.equal('1');
  });

  it('is done without where the snapshot is of another server, or gone', async () => {
    await open(2);
    const same = await database.readOnly(
      async (session) => {
        const stranger: ReadSession = {
          ...session,
          one: <R>() => Promise.resolve({ snapshot: '00000003-0000001B-1' } as R),
        };
        const beside = await openSameSnapshot(database, stranger);
        return beside((other) => Promise.resolve(other === stranger), new Promise(() => undefined));
      },
      { isolation: 'repeatable read' },
    );
    expect(same).to.equal(true);
  });

  it('hands on what goes wrong in it', async () => {
    await open(2);
    const error = await database
      .readOnly(
        async (session) =>
          (await openSameSnapshot(database, session))(() => Promise.reject(new Error('mine')), Promise.resolve()),
        { isolation: 'repeatable read' },
      )
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'mine');
  });

  it('is spoken to now and then while it has nothing to do', async () => {
    await open(2);
    await database.readOnly(async (session) => {
      const { pid } = await session.one<{ pid: number }>(PID);
      const asked = new Set<string>();
      await keptAwake(
        session,
        until('it to be asked three times', async () => {
          const [row] = await test().query<{ at: string }>(
            `select query_start::text at from pg_stat_activity where pid = $1 and query = 'SELECT'`,
            [pid],
          );
          if (row !== undefined) asked.add(row.at);
          return asked.size >= 3;
        }),
        { everyMs: 5 },
      );
    });
  });
});
