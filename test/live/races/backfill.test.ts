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
      it(`${what}, while the batch stands ${where}: the writer does not wait, and harden applies the change`, async () => {
        const release = await halt(scenario);
        const batch = batches.next();
        await batchWaits(scenario);
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        expect(await writer.start(sql).end, 'while the batch still stands').to.equal('done');
        await writer.run('commit');
        await release();
        expect(await batch).to.not.equal(null);
        await finish(scenario);
      });
    }
  }

  for (const [what, sql] of Object.entries(CHANGES)) {
    for (const end of FEW.includes(what) ? ['commit', 'rollback'] : ['commit']) {
      it(`${what}, not committed while a whole batch passes; then ${end}`, async () => {
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(sql);
        expect(await batches.next(), 'the batch does not wait').to.not.equal(null);
        await writer.run(end);
        await finish(scenario);
      });
    }
  }

  it('a change that is not committed when the change log is applied keeps the mirror out until it commits', async () => {
    const writer = await Session.open(scenario.db);
    await writer.run('begin');
    await writer.run(CHANGES.delete!);
    await batches.next();
    const migrating = scenario.start('migrate --yes --until harden');
    await until('the step to wait for the writer', async () => (await waitingDdl(scenario)).length > 0);
    await writer.run('commit');
    expect((await migrating.ended).exitCode).to.be.oneOf([0, 6]);
    expect(await scenario.db.query('select id from public.account_api_keys where id = 30')).to.have.length(0);
    await finish(scenario);
  });

  it('an account that is deleted after the keys without an account were listed', async () => {
    await scenario.db.query('delete from public.accounts where id = 2');
    expect(await batches.next()).to.include({ rows: SEED.keys.length });
    await finish(scenario);
    expect(
      await scenario.db.query(`select key_id::int from keylift.outcomes where reason = 'missing_account' order by 1`),
    ).to.deep.equal([40, 60, 70, 80].map((id) => ({ key_id: id })));
  });

  it('an account that is created after its key was listed as one without an account', async () => {
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

  it('one token is copied twice, by batches with different snapshots: harden decides who has it', async () => {
    await batches.close();
    scenario = await starts.expanded();
    batches = await Batches.prepare(scenario.db, { keys: 3 });
    await batches.next(); // 10, 20, 30
    await scenario.db.query(
      `update public.api_keys set token = '${tokenOf('rotated')}' where id = 30;
       update public.api_keys set token = '${tokenOf(30)}' where id = 40`,
    );
    while ((await batches.next()) !== null);
    await finish(scenario);
  });

  for (const isolation of ['repeatable read', 'serializable']) {
    for (const what of ['delete', 'revocation', 'rotation of a token', 'insert of a twin', 'step into the store']) {
      it(`${what} by a ${isolation} writer whose snapshot is older than the batch`, async () => {
        const writer = await Session.open(scenario.db);
        await writer.run(`begin isolation level ${isolation}; select from public.api_keys`);
        expect(await batches.next()).to.not.equal(null);
        expect(await writer.start(CHANGES[what]!).end).to.equal('done');
        await writer.run('commit');
        await finish(scenario);
      });

      it(`${what} by a ${isolation} writer whose snapshot is older than the mirror`, async () => {
        const writer = await Session.open(scenario.db);
        await writer.run(`begin isolation level ${isolation}; select from public.accounts`);
        await scenario.must('migrate --yes --until harden', 0, 6);
        expect(await writer.start(CHANGES[what]!).end).to.equal('40001');
        await writer.run('rollback');
        await finish(scenario);
      });
    }
  }

  it('a moved key cannot be changed or deleted in Settings before the mirror is on; a native key can', async () => {
    await batches.next();
    const settings = await Session.open(scenario.db);
    for (const sql of [
      `update public.account_api_keys set revoked_at = now() where id = 30`,
      `delete from public.account_api_keys where id = 30`,
    ])
      expect(await settings.start(sql).end, sql).to.equal('55000');
    await settings.run(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'native', '${tokenOf('native')}')`,
    );
    await settings.run(`update public.account_api_keys set name = 'renamed' where name = 'native'`);
    expect(
      await settings.start(
        `insert into public.account_api_keys (account_id, name, token) values (1, 'taken', '${tokenOf(30)}')`,
      ).end,
    ).to.equal('23505');
    await finish(scenario);
  });
});

/** Steps of DDL that wait for a lock. */
const waitingDdl = ({ db }: Scenario): Promise<unknown[]> =>
  db.query(
    `select pid from pg_stat_activity where datname = current_database() and application_name like 'keylift-ddl%' and wait_event_type = 'Lock'`,
  );
