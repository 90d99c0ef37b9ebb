import { expect } from 'chai';
import type { Scenario } from '../../support/scenario.js';
import { tokenOf } from '../../support/seed.js';
import { gateAt, until } from '../../support/waiting.js';
import { Batches } from '../batches.js';
import { Session } from '../sessions.js';
import { finish } from '../sound.js';
import { CHANGES, FEW, SEED, useStarts } from './ground.js';

/** Where a batch can stand when a writer comes. Each holds it there until `release`. */
const POINTS: Record<string, (scenario: Scenario) => Promise<() => Promise<void>>> = {
  'before it reads': (s) => lockOutcomes(s, 'access exclusive'),
  'between its read and its write': async (s) => {
    const gate = await gateAt(s.db, 10);
    return () => gate.open();
  },
  'after its write, before its commit': (s) => lockOutcomes(s, 'share'),
};

async function lockOutcomes({ db }: Scenario, mode: string): Promise<() => Promise<void>> {
  const holder = await Session.open(db);
  await holder.run(`begin; lock table keylift.outcomes in ${mode} mode`);
  return async () => {
    await holder.run('rollback');
  };
}

const sessionOfBatches = async ({ db }: Scenario): Promise<number | undefined> =>
  (
    await db.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and application_name = 'keylift-batches'
        and wait_event_type = 'Lock'`,
    )
  )[0]?.pid;

const batchWaits = (scenario: Scenario): Promise<void> =>
  until('the batch to wait', async () => (await sessionOfBatches(scenario)) !== undefined);

describe('races: a writer and a batch of the backfill', () => {
  let scenario: Scenario;
  let batches: Batches;
  afterEach(() => batches.close()); // before the database goes
  const starts = useStarts();
  beforeEach(async () => {
    scenario = await starts.expanded();
    batches = await Batches.prepare(scenario.db);
  });

  for (const [where, halt] of Object.entries(POINTS)) {
    for (const [what, sql] of Object.entries(CHANGES)) {
      if (where !== 'between its read and its write' && !FEW.includes(what)) continue;
      it(`${what}, while the batch stands ${where}`, async () => {
        const release = await halt(scenario);
        const batch = batches.next();
        await batchWaits(scenario);
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        // Only a key ahead of every range has no batch to wait for.
        const ahead = what === 'insert ahead of all ranges';
        const change = ahead ? writer.start(sql) : await writer.startBlocked(sql);
        if (ahead) expect(await change.end, 'while the batch still stands').to.equal('done');
        await release();
        expect(await batch).to.include({ rows: SEED.keys.length });
        expect(await change.end).to.equal('done');
        await writer.run('commit');
        await finish(scenario);
      });
    }
  }

  for (const [what, sql] of Object.entries(CHANGES)) {
    for (const end of FEW.includes(what) ? ['commit', 'rollback'] : ['commit']) {
      it(`${what}, not committed when the batch comes; then ${end}`, async () => {
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(sql);
        const first = await batches.next();
        if (what !== 'insert ahead of all ranges') expect(first, 'the batch passes the range over').to.equal(null);
        await writer.run(end);
        if (first === null) expect(await batches.next()).to.not.equal(null);
        await finish(scenario);
      });
    }
  }

  for (const what of [
    'delete',
    'revocation',
    'rotation of a token',
    'step to a custom API',
    'revocation of one twin',
  ]) {
    for (const end of what === 'delete' ? ['commit', 'rollback'] : ['commit']) {
      it(`${what}, its row changed and its trigger not yet run, while a whole batch passes; then ${end}`, async () => {
        // Fires before the mirror's triggers, by its name.
        await scenario.db.query(`
          create function public.test_halt() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock(77); return null; end $$;
          create trigger aa_halt after update or delete on public.api_keys for each statement
            execute function public.test_halt()`);
        const holder = await Session.open(scenario.db);
        await holder.run('select pg_advisory_lock(77)');
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        const change = await writer.startBlocked(CHANGES[what]!);
        expect(await batches.next(), 'the batch reads the row as it was').to.include({ rows: SEED.keys.length });
        await holder.run('select pg_advisory_unlock(77)');
        expect(await change.end).to.equal('done');
        await writer.run(end);
        await scenario.db.query('drop function public.test_halt() cascade');
        await finish(scenario);
      });
    }
  }

  it('two writers share a range, and the batch comes after both', async () => {
    const [first, second] = [await Session.open(scenario.db), await Session.open(scenario.db)];
    await first.run('begin');
    await first.run(CHANGES.revocation!);
    await second.run('begin');
    await second.run(`delete from public.api_keys where id = 20`);
    await first.run('commit');
    expect(await batches.next()).to.equal(null);
    await second.run('commit');
    expect(await batches.next()).to.not.equal(null);
    await finish(scenario);
  });

  it('an account that goes when its keys were looked for one already', async () => {
    await scenario.db.query('delete from public.accounts where id = 2');
    expect(await batches.next()).to.include({ rows: SEED.keys.length });
    await finish(scenario);
    expect(
      await scenario.db.query(`select key_id::int from keylift.outcomes where reason = 'missing_account' order by 1`),
    ).to.deep.equal([40, 60, 70, 80].map((id) => ({ key_id: id })));
  });

  it('an account that comes when its key was found without one already', async () => {
    await batches.close();
    scenario = await starts.expanded();
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, name, token)
        values (35, 3, 2, 'early', '${tokenOf('early')}')`,
    );
    batches = await Batches.prepare(scenario.db);
    await scenario.db.query(
      `insert into public.accounts (id, kind, name) overriding system value values (3, 'user', 'late')`,
    );
    expect(await batches.next()).to.not.equal(null);
    await finish(scenario);
    expect(await scenario.db.query('select id from public.account_api_keys where id = 35')).to.have.length(1);
  });

  it('a twin in another range, whose batch is under way', async () => {
    await batches.close();
    scenario = await starts.expanded();
    batches = await Batches.prepare(scenario.db, { keys: 3 });
    const gate = await gateAt(scenario.db, 30); // first range: 10, 20, 30
    const batch = batches.next();
    await batchWaits(scenario);
    const writer = await Session.open(scenario.db);
    const change = await writer.startBlocked(`update public.api_keys set token = '${tokenOf(30)}' where id = 40`);
    await gate.open();
    await batch;
    expect(await change.end).to.equal('done');
    await finish(scenario);
  });

  it('a twin comes ahead of all ranges while the writer of the first one waits for the batch', async () => {
    const gate = await gateAt(scenario.db, 10);
    const batch = batches.next();
    await batchWaits(scenario);
    const writer = await Session.open(scenario.db);
    const change = await writer.startBlocked(
      `insert into public.api_keys (id, account_id, api_id, name, token)
        values (35, 1, 2, 'first', '${tokenOf('late twins')}')`,
    );
    await scenario.db.query(
      `insert into public.api_keys (id, account_id, api_id, name, token) values (1000, 1, 2, 'second',
        '${tokenOf('late twins')}')`,
    );
    await gate.open();
    await batch;
    expect(await change.end).to.equal('done');
    // At once, and not only when the index is built: the first saw the second when it judged.
    expect(
      await scenario.db.query(`select id::int from public.account_api_keys where token = '${tokenOf('late twins')}'`),
    ).to.deep.equal([{ id: 35 }]);
    await finish(scenario);
  });

  for (const isolation of ['repeatable read', 'serializable']) {
    for (const what of isolation === 'serializable'
      ? ['delete', 'revocation']
      : [
          'delete',
          'revocation',
          'rotation of a token',
          'insert of a twin',
          'revocation of one twin',
          'step into the store',
        ]) {
      it(`${what} by a ${isolation} writer whose snapshot is older than the batch`, async () => {
        const writer = await Session.open(scenario.db);
        await writer.run(`begin isolation level ${isolation}; select from public.api_keys`);
        expect(await batches.next()).to.not.equal(null);
        const end = await writer.start(CHANGES[what]!).end;
        if (end === 'done') await writer.run('commit').catch(() => undefined);
        else {
          expect(end).to.equal('40001');
          await writer.run('rollback');
        }
        await finish(scenario);
      });

      it(`${what} by a ${isolation} writer that waits for the batch`, async () => {
        const gate = await gateAt(scenario.db, 10);
        const batch = batches.next();
        await batchWaits(scenario);
        const writer = await Session.open(scenario.db);
        await writer.run(`begin isolation level ${isolation}`);
        const change = await writer.startBlocked(CHANGES[what]!);
        await gate.open();
        await batch;
        expect(await change.end).to.equal('40001');
        await writer.run('rollback');
        await finish(scenario);
      });
    }
  }
});
