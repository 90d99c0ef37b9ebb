import { expect } from 'chai';
import { openDatabase, type Database } from '../../src/database/connect.js';
import { withRetry } from '../../src/database/with-retry.js';
import { NEVER } from '../../src/timing.js';
import { useTestDatabase } from '../support/database.js';

/** Refuses rows at their commit, so many times; what a sequence counts is not rolled back. */
const refuse = (state: string, times: number): string => `
  drop table if exists t;
  drop sequence if exists met;
  create table t (id int);
  create sequence met;
  create or replace function refuse() returns trigger language plpgsql as $$ begin
    if nextval('met') <= ${String(times)} then raise exception 'refused' using errcode = '${state}'; end if;
    return null; end $$;
  create constraint trigger refuse after insert on t deferrable initially deferred for each row
    execute function refuse()`;

describe('a database with retries', () => {
  const test = useTestDatabase({ schema: 'none' });
  let database: Database;
  beforeEach(async () => {
    database = await openDatabase(test().url, { maxConnections: 1 });
  });
  afterEach(() => database.close());

  const insert = (on: Database, retry: 'transaction' | 'underLoad' | 'none' = 'transaction'): Promise<unknown> =>
    on
      .transaction((session) => session.query('insert into t values (1)'), { name: 'test', retry })
      .then(
        () => 'done',
        (error: unknown) => error,
      );
  const met = async (): Promise<number> =>
    Number((await test().query<{ n: string }>('select last_value as n from met'))[0]!.n);
  const rows = async (): Promise<number> => (await test().query('select from t')).length;

  for (const state of ['40001', '40P01', '55P03']) {
    it(`does a transaction over that ends with ${state} at its commit, and tells of each further try`, async () => {
      await test().query(refuse(state, 2));
      const waits: (string | undefined)[] = [];
      const retried = withRetry(database, { stop: NEVER, onWait: (wait) => waits.push(wait?.sqlstate) });
      expect(await insert(retried)).to.equal('done');
      expect([await met(), await rows(), waits]).to.deep.equal([3, 1, [state, state, undefined]]);
    });
  }

  it('throws the error when five tries were refused', async () => {
    await test().query(refuse('40001', 100));
    expect(await insert(withRetry(database, { stop: NEVER }))).to.have.property('code', '40001');
    expect([await met(), await rows()]).to.deep.equal([5, 0]);
  });

  it('throws at once what no further try would mend, and where there is to be none', async () => {
    await test().query(refuse('53200', 100));
    expect(await insert(withRetry(database, { stop: NEVER }))).to.have.property('code', '53200');
    expect(await met()).to.equal(1);
    await test().query(refuse('40001', 100));
    expect(await insert(withRetry(database, { stop: NEVER }), 'none')).to.have.property('code', '40001');
    expect(await met()).to.equal(1);
  });

  it('does nothing over once it is to stop', async () => {
    await test().query(refuse('40001', 100));
    const stop = new AbortController();
    const error = await insert(
      withRetry(database, {
        stop: stop.signal,
        onWait: () => {
          stop.abort(new Error('stopped'));
        },
      }),
    );
    expect(error).to.have.property('message', 'stopped');
    expect(await met()).to.equal(1);
  });
});
