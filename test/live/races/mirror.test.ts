import { expect } from 'chai';
import type { Scenario } from '../../support/scenario.js';
import { keyliftWaitsFor, Session } from '../sessions.js';
import { assertSound, finish } from '../sound.js';
import { CHANGES, DAY, useStarts } from './ground.js';

describe('races: a writer and the first and last moments of the mirror', () => {
  const starts = useStarts();
  let scenario: Scenario;

  it('writers under way keep the change log out; the backfill reads what they did', async () => {
    scenario = await starts.seeded();
    const writer = await Session.open(scenario.db);
    await writer.run('begin');
    for (const what of ['delete', 'insert inside the range', 'revocation of one twin'])
      await writer.run(CHANGES[what]!);
    const migration = scenario.start('migrate --yes');
    await keyliftWaitsFor(scenario.db, writer);
    await writer.run('commit');
    expect((await migration.ended).exitCode).to.equal(6);
    await assertSound(scenario, 'all');
  });

  for (const isolation of ['repeatable read', 'serializable']) {
    for (const what of isolation === 'serializable'
      ? ['delete']
      : ['delete', 'revocation', 'step to a custom API', 'insert of a twin', 'insert ahead of all ranges']) {
      for (const start of ['seeded', 'rolledBack'] as const) {
        it(`${what} by a ${isolation} writer whose snapshot is older than the change log, ${start}`, async () => {
          scenario = await (start === 'seeded' ? starts.seeded() : starts.migrated());
          if (start === 'rolledBack') await scenario.must('rollback --yes');
          const writer = await Session.open(scenario.db);
          await writer.run(`begin isolation level ${isolation}; select from public.accounts`);
          await scenario.must('migrate --yes --until backfill', 6);
          expect(await writer.start(CHANGES[what]!).end).to.equal('done');
          await writer.run('commit');
          await finish(scenario);
        });
      }
    }
  }

  for (const what of ['delete', 'revocation', 'rename', 'insert inside the range', 'revocation of one twin']) {
    it(`${what}, not committed when a rollback comes`, async () => {
      scenario = await starts.migrated();
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
    scenario = await starts.migrated();
    const writer = await Session.open(scenario.db);
    await writer.run(`begin; update public.account_api_keys set revoked_at = '${DAY}' where id in (30, 60)`);
    const rollback = scenario.start('rollback --yes');
    await keyliftWaitsFor(scenario.db, writer);
    await writer.run('commit');
    expect((await rollback.ended).exitCode).to.equal(0);
    expect(
      await scenario.db.query(`select id::int from public.api_keys where revoked_at = '${DAY}' order by id`),
    ).to.deep.equal([{ id: 30 }, { id: 60 }, { id: 70 }, { id: 80 }]);
    await scenario.everyPair('none');
    await finish(scenario);
  });
});
