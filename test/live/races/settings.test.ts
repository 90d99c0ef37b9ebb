import { expect } from 'chai';
import type { Scenario } from '../../support/scenario.js';
import { tokenOf } from '../../support/seed.js';
import { Session } from '../sessions.js';
import { assertSound, finish } from '../sound.js';
import { DAY, useStarts } from './ground.js';

describe('races: one key changed in both tables', () => {
  const starts = useStarts();
  let scenario: Scenario;

  const LEGACY = {
    revoke: `update public.api_keys set revoked_at = '${DAY}' where id = $`,
    rename: `update public.api_keys set name = 'by the old release' where id = $`,
    delete: 'delete from public.api_keys where id = $',
  };
  const SETTINGS = {
    revoke: `update public.account_api_keys set revoked_at = '${DAY}' where id = $`,
    rename: `update public.account_api_keys set name = 'by Settings' where id = $`,
    delete: 'delete from public.account_api_keys where id = $',
  };
  for (const key of [30, 60]) {
    for (const [one, legacy] of Object.entries(LEGACY)) {
      for (const [other, settings] of Object.entries(SETTINGS)) {
        if (key === 60 && other !== 'revoke') continue;
        for (const order of ['legacy first', 'Settings first']) {
          it(`key ${String(key)}: ${one} by the old release, ${other} in Settings, ${order}`, async () => {
            scenario = await starts.migrated();
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
      scenario = await starts.migrated();
      await scenario.db.query(`
        create function public.test_halt() returns trigger language plpgsql as $$
          begin perform pg_advisory_xact_lock_shared(77); return null; end $$;
        create trigger aa_halt after update on public.api_keys for each statement execute function public.test_halt();
        create trigger aa_halt after update on public.account_api_keys for each statement
          execute function public.test_halt()`);
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

describe('races: an account that goes, and its keys', () => {
  const starts = useStarts();

  for (const keys of ['40', '60, 70']) {
    it(`that move to another account at that moment, ${keys}: they have their account key there`, async () => {
      const scenario = await starts.migrated();
      const [settings, legacy] = [await Session.open(scenario.db), await Session.open(scenario.db)];
      await settings.run('begin; delete from public.accounts where id = 2');
      const moving = await legacy.startBlocked(`update public.api_keys set account_id = 1 where id in (${keys})`);
      await settings.run('commit');
      expect(await moving.end).to.equal('done');
      await assertSound(scenario, 'all');
    });
  }
});

describe('races: a switch and writers', () => {
  const starts = useStarts();
  let scenario: Scenario;

  for (const back of ['', ' --back']) {
    it(`an exception made while accounts are switched${back} is answered by its own key`, async () => {
      scenario = await starts.migrated();
      if (back === '') await scenario.must('switch --back --yes');
      const writer = await Session.open(scenario.db);
      await writer.run('begin');
      await writer.run(
        `insert into public.api_keys (id, account_id, api_id, token, created_at) values (1000, 1, 2, '${tokenOf(30)}',
          null)`,
      );
      await scenario.must(`switch --yes${back === '' ? ' --all' : back}`); // waits for nobody
      await writer.run('commit');
      await assertSound(scenario, back === '' ? 'all' : 'none');
    });
  }

  it('two writers that leave keys behind beside account keys, each in two steps, wait for nobody', async () => {
    scenario = await starts.migrated();
    const undated = (id: number, token: string) =>
      `insert into public.api_keys (id, account_id, api_id, token, created_at)
        values (${String(id)}, 1, 2, '${tokenOf(token)}', null)`;
    const writers = [await Session.open(scenario.db), await Session.open(scenario.db)];
    for (const writer of writers) await writer.run('begin');
    // Each has set a key aside before either meets an account key's token.
    for (const [at, writer] of writers.entries()) await writer.run(undated(1000 + at, `alone ${String(at)}`));
    const ends = writers.map((writer, at) => writer.start(undated(2000 + at, at === 0 ? '30' : '20')).end);
    expect(await Promise.all(ends)).to.deep.equal(['done', 'done']);
    for (const writer of writers) await writer.run('commit');
    expect(await scenario.db.query('select key_id::int from keylift.overlaps order by 1')).to.deep.equal([
      { key_id: 2000 },
      { key_id: 2001 },
    ]);
    await assertSound(scenario, 'all');
    // Of a key with a date, or without its twin, nothing is left to look twice for.
    await scenario.db.query(
      `update public.api_keys set created_at = now() where id = 2000;
        delete from public.account_api_keys where id = 20`,
    );
    expect(await scenario.db.query('select key_id from keylift.overlaps')).to.deep.equal([]);
    await assertSound(scenario, 'all');
  });
});
