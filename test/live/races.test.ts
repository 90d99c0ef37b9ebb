import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { tokenOf, type Seed } from '../support/seed.js';
import { gateAt, until } from '../support/waiting.js';
import { Batches } from './batches.js';
import { keyliftWaitsFor, Session } from './sessions.js';
import { assertSound, finish } from './sound.js';

const DAY = '2025-01-01 00:00:00.000001+00';

const SEED: Seed = {
  accounts: ['acme', 'bert'],
  apis: { invoices: 'store', receipts: 'store', forms: 'custom of acme' },
  keys: [
    { id: 10, account: 'acme', api: 'invoices' },
    { id: 20, account: 'acme', api: 'receipts' },
    { id: 30, account: 'acme', api: 'invoices' },
    { id: 40, account: 'bert', api: 'receipts', name: null },
    { id: 50, account: 'acme', api: 'forms' },
    { id: 60, account: 'bert', api: 'invoices', token: tokenOf('twins') },
    { id: 70, account: 'bert', api: 'receipts', token: tokenOf('twins') },
    { id: 80, account: 'bert', api: 'invoices', revoked: DAY },
    { id: 90, account: 'bert', api: 'gone' },
  ],
};

/** Changes by the platform's old release. Key 30 lies inside the one range there is. */
const CHANGES: Record<string, string> = {
  'delete': `delete from public.api_keys where id = 30`,
  'revocation': `update public.api_keys set revoked_at = '${DAY}' where id = 30`,
  'rename': `update public.api_keys set name = 'renamed' where id = 30`,
  'rotation of a token': `update public.api_keys set token = '${tokenOf('rotated')}' where id = 30`,
  'swap of two tokens': `update public.api_keys set token = case id when 30 then '${tokenOf(20)}' else '${tokenOf(30)}' end where id in (20, 30)`,
  'step to a custom API': `update public.api_keys set api_id = 3 where id = 30`,
  'step into the store': `update public.api_keys set api_id = 2 where id = 50`,
  'change of account': `update public.api_keys set account_id = 2 where id = 30`,
  'new id': `update public.api_keys set id = 31 where id = 30`,
  'insert inside the range': `insert into public.api_keys (id, account_id, api_id, name, token) values (35, 1, 2, 'new', '${tokenOf('new')}')`,
  'insert ahead of all ranges': `insert into public.api_keys (id, account_id, api_id, name, token) values (1000, 1, 2, 'new', '${tokenOf('new')}')`,
  'insert of a twin': `insert into public.api_keys (id, account_id, api_id, name, token) values (1000, 1, 2, 'twin', '${tokenOf(30)}')`,
  'insert of another account\'s twin': `insert into public.api_keys (id, account_id, api_id, name, token) values (1000, 2, 2, 'twin', '${tokenOf(30)}')`,
  'revocation of one twin': `update public.api_keys set revoked_at = '${DAY}' where id = 70`,
  'deletion of the twin that is kept': `delete from public.api_keys where id = 60`,
  'mending of an exception': `update public.api_keys set api_id = 1 where id = 90`,
};

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
  return async () => { await holder.run('rollback'); };
}

const sessionOfBatches = async ({ db }: Scenario): Promise<number | undefined> =>
  (await db.query<{ pid: number }>(
    `select pid from pg_stat_activity where datname = current_database() and application_name = 'keylift-batches' and wait_event_type = 'Lock'`,
  ))[0]?.pid;

const batchWaits = (scenario: Scenario): Promise<void> => until('the batch to wait', async () => (await sessionOfBatches(scenario)) !== undefined);

/** Where one point has shown every change, these show the others. */
const FEW = ['delete', 'revocation', 'insert inside the range', 'revocation of one twin'];

/** Templates: the seed expanded, and migrated. */
let expanded: Scenario;
let migrated: Scenario;

describe('races', () => {
  let scenario: Scenario;
  before(async () => {
    expanded = await Scenario.of(SEED);
    await expanded.must('migrate --yes --until expand');
    migrated = await expanded.copy();
    await migrated.must('migrate --yes', 6);
  });
  after(async () => { await Promise.all([expanded.close(), migrated.close()]); });
  afterEach(() => scenario.close());

  describe('a writer and a batch of the backfill', () => {
    let batches: Batches;
    beforeEach(async () => {
      scenario = await expanded.copy();
      batches = await Batches.prepare(scenario.db);
    });
    afterEach(() => batches.close());

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

    for (const what of ['delete', 'revocation', 'rotation of a token', 'step to a custom API', 'revocation of one twin']) {
      for (const end of what === 'delete' ? ['commit', 'rollback'] : ['commit']) {
        it(`${what}, its row changed and its trigger not yet run, while a whole batch passes; then ${end}`, async () => {
          // Fires before the mirror's triggers, by its name.
          await scenario.db.query(`
            create function public.test_halt() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(77); return null; end $$;
            create trigger aa_halt after update or delete on public.api_keys for each statement execute function public.test_halt()`);
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

    it('a twin in another range, whose batch is under way', async () => {
      await batches.close();
      scenario = await replaced(scenario);
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

    for (const isolation of ['repeatable read', 'serializable']) {
      for (const what of isolation === 'serializable' ? ['delete', 'revocation'] : ['delete', 'revocation', 'rotation of a token', 'insert of a twin', 'revocation of one twin', 'step into the store']) {
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

  const replaced = async (old: Scenario): Promise<Scenario> => {
    await old.close();
    return expanded.copy();
  };

  describe('a writer and the first and last moments of the mirror', () => {
    it('writers under way keep the mirror out; what they did is in the ranges', async () => {
      scenario = await Scenario.of(SEED);
      const writer = await Session.open(scenario.db);
      await writer.run('begin');
      for (const what of ['delete', 'insert inside the range', 'revocation of one twin']) await writer.run(CHANGES[what]!);
      const migration = scenario.start('migrate --yes');
      await keyliftWaitsFor(scenario.db, writer);
      await writer.run('commit');
      expect((await migration.ended).exitCode).to.equal(6);
      await assertSound(scenario, 'all');
    });

    for (const isolation of ['repeatable read', 'serializable']) {
      for (const what of isolation === 'serializable' ? ['delete'] : ['delete', 'revocation', 'step to a custom API', 'insert of a twin']) {
        it(`${what} by a ${isolation} writer whose snapshot is older than keylift`, async () => {
          scenario = await Scenario.of(SEED);
          const writer = await Session.open(scenario.db);
          await writer.run(`begin isolation level ${isolation}; select from public.accounts`);
          // Further than the backfill keylift cannot come: CREATE INDEX CONCURRENTLY waits for older snapshots.
          await scenario.must('migrate --yes --until backfill', 6);
          expect(await writer.start(CHANGES[what]!).end).to.equal('40001');
          await writer.run('rollback');
          await finish(scenario);
        });

        it(`${what} by a ${isolation} writer whose snapshot is older than the second migration`, async () => {
          scenario = await migrated.copy();
          await scenario.must('rollback --yes');
          const writer = await Session.open(scenario.db);
          await writer.run(`begin isolation level ${isolation}; select from public.accounts`);
          await scenario.must('migrate --yes --until backfill', 6);
          const end = await writer.start(CHANGES[what]!).end;
          expect(end).to.be.oneOf(['done', '40001']);
          await writer.run(end === 'done' ? 'commit' : 'rollback');
          await finish(scenario);
        });
      }
    }

    for (const what of ['delete', 'revocation', 'rename', 'insert inside the range', 'revocation of one twin']) {
      it(`${what}, not committed when a rollback comes`, async () => {
        scenario = await migrated.copy();
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(CHANGES[what]!);
        const rollback = scenario.start('rollback --yes');
        await keyliftWaitsFor(scenario.db, writer);
        await writer.run('commit');
        expect((await rollback.ended).exitCode).to.equal(0);
        expect(await scenario.db.query('select id from public.account_api_keys')).to.deep.equal([]);
        await scenario.everyPair('none');
        await finish(scenario);
      });
    }

    it('a revocation in Settings, not committed when a rollback comes', async () => {
      scenario = await migrated.copy();
      const writer = await Session.open(scenario.db);
      await writer.run(`begin; update public.account_api_keys set revoked_at = '${DAY}' where id in (30, 60)`);
      const rollback = scenario.start('rollback --yes');
      await keyliftWaitsFor(scenario.db, writer);
      await writer.run('commit');
      expect((await rollback.ended).exitCode).to.equal(0);
      expect(await scenario.db.query(`select id::int from public.api_keys where revoked_at = '${DAY}' order by id`))
        .to.deep.equal([{ id: 30 }, { id: 60 }, { id: 70 }, { id: 80 }]);
      await scenario.everyPair('none');
      await finish(scenario);
    });
  });

  describe('twins made at one moment', () => {
    const insert = (id: number, { account = 1, api = 1, revoked = 'null', created = 'now()' } = {}) =>
      `insert into public.api_keys (id, account_id, api_id, name, token, revoked_at, created_at)
       values (${String(id)}, ${String(account)}, ${String(api)}, 'twin', '${tokenOf('phantom')}', ${revoked}, ${created})`;
    const PAIRS: Record<string, [string, string]> = {
      'of one account': [insert(1001), insert(1002, { api: 2 })],
      'of two accounts': [insert(1001), insert(1002, { account: 2 })],
      'of two lives': [insert(1001), insert(1002, { revoked: `'${DAY}'` })],
      'one by rotation': [insert(1001), `update public.api_keys set token = '${tokenOf('phantom')}' where id = 30`],
      'one without a date': [insert(1001), insert(1002, { api: 2, created: 'null' })],
      'one born in Settings': [insert(1001), `insert into public.account_api_keys (account_id, name, token) values (1, 'born', '${tokenOf('phantom')}')`],
    };
    for (const [which, [one, other]] of Object.entries(PAIRS)) {
      for (const stage of ['expand', 'verify', 'switch']) {
        for (const end of stage === 'verify' ? ['commit', 'rollback'] : ['commit']) {
          it(`${which}, after ${stage}; the first ends with ${end}`, async () => {
            scenario = await (stage === 'switch' ? migrated : expanded).copy();
            if (stage !== 'switch') await scenario.must(`migrate --yes --until ${stage}`, 0, 6);
            const [a, b] = [await Session.open(scenario.db), await Session.open(scenario.db)];
            await a.run('begin');
            await a.run(one);
            await b.run('begin');
            // From harden on the unique index orders account keys; before, and where one gets none, neither sees the other.
            const ordered = ['verify', 'switch'].includes(stage) && which !== 'one without a date';
            const second = ordered ? await b.startBlocked(other) : b.start(other);
            if (!ordered) expect(await second.end).to.equal('done');
            await a.run(end);
            const ended = await second.end;
            // The new release asks for a token that is taken now.
            expect(ended).to.equal(ordered && end === 'commit' && which === 'one born in Settings' ? '23505' : 'done');
            await b.run(ended === 'done' ? 'commit' : 'rollback');
            await finish(scenario);
          });
        }
      }
    }

    it('two rows of a repeated token, revoked at one moment by two sessions', async () => {
      scenario = await migrated.copy();
      const [a, b] = [await Session.open(scenario.db), await Session.open(scenario.db)];
      await scenario.db.query(`
        create function public.test_halt() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(77); return null; end $$;
        create trigger aa_halt after update on public.api_keys for each statement execute function public.test_halt()`);
      const holder = await Session.open(scenario.db);
      await holder.run('select pg_advisory_lock(77)');
      const ends = [await a.startBlocked(`update public.api_keys set revoked_at = '${DAY}' where id = 60`), await b.startBlocked(`update public.api_keys set revoked_at = '${DAY}' where id = 70`)];
      await holder.run('select pg_advisory_unlock(77)');
      const ended = await Promise.all(ends.map(({ end }) => end));
      for (const end of ended) expect(end).to.be.oneOf(['done', '40P01']);
      expect(ended).to.include('done');
      const revoked = await scenario.db.query<{ id: number }>(`select id::int from public.api_keys where id in (60, 70) and revoked_at is not null order by id`);
      expect(revoked.map(({ id }) => id)).to.deep.equal([60, 70].filter((_, at) => ended[at] === 'done'));
      await scenario.db.query('drop function public.test_halt() cascade');
      await finish(scenario);
    });
  });

  describe('one key changed in both tables', () => {
    const LEGACY = { revoke: `update public.api_keys set revoked_at = '${DAY}' where id = $`, rename: `update public.api_keys set name = 'by the old release' where id = $`, delete: 'delete from public.api_keys where id = $' };
    const SETTINGS = { revoke: `update public.account_api_keys set revoked_at = '${DAY}' where id = $`, rename: `update public.account_api_keys set name = 'by Settings' where id = $`, delete: 'delete from public.account_api_keys where id = $' };
    for (const key of [30, 60]) {
      for (const [one, legacy] of Object.entries(LEGACY)) {
        for (const [other, settings] of Object.entries(SETTINGS)) {
          if (key === 60 && other !== 'revoke') continue;
          for (const order of ['legacy first', 'Settings first']) {
            it(`key ${String(key)}: ${one} by the old release, ${other} in Settings, ${order}`, async () => {
              scenario = await migrated.copy();
              const statements = [legacy, settings].map((sql) => sql.replace('$', String(key)));
              if (order === 'Settings first') statements.reverse();
              const [a, b] = [await Session.open(scenario.db), await Session.open(scenario.db)];
              await a.run('begin');
              await a.run(statements[0]!);
              const second = await b.startBlocked(statements[1]!);
              await a.run('commit');
              expect(await second.end).to.be.oneOf(['done', '40P01']);
              // Of twins the old release deletes one; what Settings then does meets a key that is gone, and is told so.
              const goneBefore = key === 60 && one === 'delete' && order === 'legacy first';
              if (!goneBefore && [one, other].some((what) => what !== 'rename')) {
                expect(await scenario.authorize(key === 30 ? tokenOf(30) : tokenOf('twins'), 1)).to.deep.equal([]);
              }
              await finish(scenario);
            });
          }
        }
      }

      it(`key ${String(key)}: revoked in both tables at one moment`, async () => {
        scenario = await migrated.copy();
        await scenario.db.query(`
          create function public.test_halt() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock_shared(77); return null; end $$;
          create trigger aa_halt after update on public.api_keys for each statement execute function public.test_halt();
          create trigger aa_halt after update on public.account_api_keys for each statement execute function public.test_halt()`);
        const holder = await Session.open(scenario.db);
        await holder.run('select pg_advisory_lock(77)');
        const [a, b] = [await Session.open(scenario.db), await Session.open(scenario.db)];
        const ends = [
          await a.startBlocked(LEGACY.revoke.replace('$', String(key))),
          await b.startBlocked(SETTINGS.revoke.replace('$', String(key))),
        ];
        await holder.run('select pg_advisory_unlock(77)');
        const ended = await Promise.all(ends.map(({ end }) => end));
        for (const end of ended) expect(end).to.be.oneOf(['done', '40P01']);
        expect(ended, 'one of them got through').to.include('done');
        await scenario.db.query('drop function public.test_halt() cascade');
        expect(await scenario.authorize(key === 30 ? tokenOf(30) : tokenOf('twins'), 1)).to.deep.equal([]);
        await finish(scenario);
      });
    }
  });

  describe('a switch and writers', () => {
    for (const back of ['', ' --back']) {
      it(`an exception made while accounts are switched${back} is answered by its own key`, async () => {
        scenario = await migrated.copy();
        if (back === '') await scenario.must('switch --back --yes');
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(`insert into public.api_keys (id, account_id, api_id, token, created_at) values (1000, 1, 2, '${tokenOf(30)}', null)`);
        await scenario.must(`switch --yes${back === '' ? ' --all' : back}`); // waits for nobody
        await writer.run('commit');
        await assertSound(scenario, back === '' ? 'all' : 'none');
      });
    }

    it('two writers that leave keys behind beside account keys, each in two steps, wait for nobody', async () => {
      scenario = await migrated.copy();
      const undated = (id: number, token: string) =>
        `insert into public.api_keys (id, account_id, api_id, token, created_at) values (${String(id)}, 1, 2, '${tokenOf(token)}', null)`;
      const writers = [await Session.open(scenario.db), await Session.open(scenario.db)];
      for (const writer of writers) await writer.run('begin');
      // Each has set a key aside before either meets an account key's token.
      for (const [at, writer] of writers.entries()) await writer.run(undated(1000 + at, `alone ${String(at)}`));
      const ends = writers.map((writer, at) => writer.start(undated(2000 + at, at === 0 ? '30' : '20')).end);
      expect(await Promise.all(ends)).to.deep.equal(['done', 'done']);
      for (const writer of writers) await writer.run('commit');
      expect(await scenario.db.query('select key_id::int from keylift.overlaps order by 1')).to.deep.equal([{ key_id: 2000 }, { key_id: 2001 }]);
      await assertSound(scenario, 'all');
      // Of a key with a date, or without its twin, nothing is left to look twice for.
      await scenario.db.query('update public.api_keys set created_at = now() where id = 2000; delete from public.account_api_keys where id = 20');
      expect(await scenario.db.query('select key_id from keylift.overlaps')).to.deep.equal([]);
      await assertSound(scenario, 'all');
    });
  });

  describe('finalize, restore and writers', () => {
    /** Each ends in a state that a rollback brings back to what the platform did. */
    const LEGACY: Record<string, { sql: string; opens: [string, number, boolean][] }> = {
      'a delete by the old release': { sql: CHANGES.delete!, opens: [[tokenOf(30), 1, false]] },
      'a revocation by the old release': { sql: CHANGES.revocation!, opens: [[tokenOf(30), 1, false]] },
      'a revocation of one twin by the old release': { sql: CHANGES['revocation of one twin']!, opens: [[tokenOf('twins'), 1, true], [tokenOf('twins'), 2, false]] },
      'a revocation of the twin that is kept by the old release': { sql: `update public.api_keys set revoked_at = '${DAY}' where id = 60`, opens: [[tokenOf('twins'), 1, false], [tokenOf('twins'), 2, true]] },
      'a step to a custom API by the old release': { sql: CHANGES['step to a custom API']!, opens: [[tokenOf(30), 1, false], [tokenOf(30), 3, true]] },
      'a rename in Settings': { sql: `update public.account_api_keys set name = 'x' where id = 30`, opens: [[tokenOf(30), 1, true], [tokenOf(30), 2, true]] },
      'a revocation in Settings': { sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 60`, opens: [[tokenOf('twins'), 1, false], [tokenOf('twins'), 2, false]] },
      'a delete in Settings': { sql: `delete from public.account_api_keys where id = 60`, opens: [[tokenOf('twins'), 1, false], [tokenOf('twins'), 2, false]] },
    };
    for (const [what, { sql, opens }] of Object.entries(LEGACY)) {
      it(`${what}, not committed when a page of the archive comes`, async () => {
        scenario = await migrated.copy();
        // A writer keeps the archive's DDL out, so it comes after the DDL and before the page.
        await begunFinalize({ db: scenario.db, run: (line) => scenario.run(line) });
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(sql);
        const finalize = scenario.start('finalize --yes');
        await keyliftWaitsFor(scenario.db, writer);
        await writer.run('commit');
        const { exitCode, stderr } = await finalize.ended;
        expect(exitCode, stderr).to.be.oneOf([0, 5]);
        if (exitCode !== 0) await scenario.must('finalize --yes');
        const wrong = [];
        for (const [token, api, open] of opens) if (((await scenario.authorize(token, api)).length === 1) !== open) wrong.push(`${token} on ${String(api)} should ${open ? '' : 'not '}open`);
        expect(wrong).to.deep.equal([]);
        await scenario.must('verify');
        await scenario.must('rollback --yes');
        await scenario.everyPair('none');
        await finish(scenario);
      });

      if (what.endsWith('Settings')) {
        it(`${what}, while a page of the archive holds its rows`, async () => {
          scenario = await migrated.copy();
          await duringPage(scenario, 'finalize --yes', sql);
          const wrong = [];
          for (const [token, api, open] of opens) if (((await scenario.authorize(token, api)).length === 1) !== open) wrong.push(`${token} on ${String(api)}`);
          expect(wrong).to.deep.equal([]);
          await scenario.must('verify');
          await scenario.must('rollback --yes');
          await scenario.everyPair('none');
          await finish(scenario);
        });

        it(`${what}, while a page is restored`, async () => {
          scenario = await migrated.copy();
          await scenario.must('finalize --yes');
          await duringPage(scenario, 'rollback --yes', sql);
          await scenario.everyPair('none');
          const [row] = await scenario.db.query<{ n: number }>(`select count(*)::int as n from public.api_keys where id in (60, 70) and revoked_at is null`);
          if (what !== 'a rename in Settings') expect(row!.n).to.equal(0);
          await finish(scenario);
        });
      }
    }
  });
});

/** A finalize that ended with the archive and its triggers there, and no row in it: the next one begins with a page. */
async function begunFinalize({ db, run }: { db: Scenario['db']; run: (line: string) => Promise<{ exitCode: number }> }): Promise<void> {
  await db.query(`
    create function public.test_halt() returns trigger language plpgsql as $$ begin
      if current_setting('keylift.writer', true) = 'keylift' then raise exception 'the server fails here'; end if; return null; end $$;
    create trigger zz_halt after delete on public.api_keys for each statement execute function public.test_halt()`);
  expect((await run('finalize --yes')).exitCode).to.equal(1);
  await db.query('drop function public.test_halt() cascade');
}

/** Runs SQL of the platform while the command holds a page of rows between two tables, and lets both end. */
async function duringPage(scenario: Scenario, command: string, sql: string): Promise<void> {
  const holder = await Session.open(scenario.db);
  await holder.run('select pg_advisory_lock(79)');
  await scenario.db.query(`
    create function public.test_halt() returns trigger language plpgsql as $$ begin
      if current_setting('keylift.writer', true) = 'keylift' then perform pg_advisory_xact_lock(79); end if; return null; end $$;
    create trigger zz_halt after delete or insert on public.api_keys for each statement execute function public.test_halt()`);
  const running = scenario.start(command);
  await keyliftWaitsFor(scenario.db, holder);
  const writer = await Session.open(scenario.db);
  const change = await writer.startBlocked(sql);
  await holder.run('select pg_advisory_unlock(79)');
  const { exitCode, stderr } = await running.ended;
  expect(exitCode, stderr).to.equal(0);
  expect(await change.end).to.equal('done');
  await scenario.db.query('drop function public.test_halt() cascade');
}
