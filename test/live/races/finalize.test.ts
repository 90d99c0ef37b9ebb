import { expect } from 'chai';
import type { Scenario } from '../../support/scenario.js';
import { tokenOf } from '../../support/seed.js';
import { keyliftWaitsFor, Session } from '../sessions.js';
import { finish } from '../sound.js';
import { CHANGES, DAY, useStarts } from './ground.js';

describe('races: finalize, restore and writers', () => {
  const starts = useStarts();
  let scenario: Scenario;

  /** Each ends in a state that a rollback brings back to what the platform did. */
  const LEGACY: Record<string, { sql: string; opens: [string, number, boolean][] }> = {
    'a delete by the old release': { sql: CHANGES.delete!, opens: [[tokenOf(30), 1, false]] },
    'a revocation by the old release': { sql: CHANGES.revocation!, opens: [[tokenOf(30), 1, false]] },
    'a revocation of one twin by the old release': {
      sql: CHANGES['revocation of one twin']!,
      opens: [
        [tokenOf('twins'), 1, true],
        [tokenOf('twins'), 2, false],
      ],
    },
    'a revocation of the twin that is kept by the old release': {
      sql: `update public.api_keys set revoked_at = '${DAY}' where id = 60`,
      opens: [
        [tokenOf('twins'), 1, false],
        [tokenOf('twins'), 2, true],
      ],
    },
    'a step to a custom API by the old release': {
      sql: CHANGES['step to a custom API']!,
      opens: [
        [tokenOf(30), 1, false],
        [tokenOf(30), 3, true],
      ],
    },
    'a rename in Settings': {
      sql: `update public.account_api_keys set name = 'x' where id = 30`,
      opens: [
        [tokenOf(30), 1, true],
        [tokenOf(30), 2, true],
      ],
    },
    'a revocation in Settings': {
      sql: `update public.account_api_keys set revoked_at = '${DAY}' where id = 60`,
      opens: [
        [tokenOf('twins'), 1, false],
        [tokenOf('twins'), 2, false],
      ],
    },
    'a delete in Settings': {
      sql: `delete from public.account_api_keys where id = 60`,
      opens: [
        [tokenOf('twins'), 1, false],
        [tokenOf('twins'), 2, false],
      ],
    },
  };
  for (const [what, { sql, opens }] of Object.entries(LEGACY)) {
    it(`${what}, not committed when a page of the archive comes`, async () => {
      scenario = await starts.migrated();
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
      for (const [token, api, open] of opens)
        if (((await scenario.authorize(token, api)).length === 1) !== open)
          wrong.push(`${token} on ${String(api)} should ${open ? '' : 'not '}open`);
      expect(wrong).to.deep.equal([]);
      await scenario.must('verify');
      await scenario.must('rollback --yes');
      await scenario.everyPair('none');
      await finish(scenario);
    });

    if (what.endsWith('Settings')) {
      it(`${what}, while a page of the archive holds its rows`, async () => {
        scenario = await starts.migrated();
        await duringPage(scenario, 'finalize --yes', sql);
        const wrong = [];
        for (const [token, api, open] of opens)
          if (((await scenario.authorize(token, api)).length === 1) !== open) wrong.push(`${token} on ${String(api)}`);
        expect(wrong).to.deep.equal([]);
        await scenario.must('verify');
        await scenario.must('rollback --yes');
        await scenario.everyPair('none');
        await finish(scenario);
      });

      it(`${what}, while a page is restored`, async () => {
        scenario = await starts.migrated();
        await scenario.must('finalize --yes');
        await duringPage(scenario, 'rollback --yes', sql);
        await scenario.everyPair('none');
        const [row] = await scenario.db.query<{ n: number }>(
          `select count(*)::int as n from public.api_keys where id in (60, 70) and revoked_at is null`,
        );
        if (what !== 'a rename in Settings') expect(row!.n).to.equal(0);
        await finish(scenario);
      });
    }
  }
});

/** A finalize that ended with the archive and its triggers there, and no row in it: the next one begins with a page. */
async function begunFinalize({
  db,
  run,
}: {
  db: Scenario['db'];
  run: (line: string) => Promise<{ exitCode: number }>;
}): Promise<void> {
  await db.query(`
    create function keylift.test_halt() returns trigger language plpgsql as $$ begin
      if current_setting('keylift.writer', true) like 'stage:%' then raise exception 'the server fails here'; end if;
      return null; end $$;
    create trigger zz_halt after delete on public.api_keys for each statement execute function keylift.test_halt()`);
  expect((await run('finalize --yes')).exitCode).to.equal(1);
  await db.query('drop function keylift.test_halt() cascade');
}

/** Runs SQL of the platform while the command holds a page of rows between two tables, and lets both end. */
async function duringPage(scenario: Scenario, command: string, sql: string): Promise<void> {
  const holder = await Session.open(scenario.db);
  await holder.run('select pg_advisory_lock(79)');
  await scenario.db.query(`
    create function keylift.test_halt() returns trigger language plpgsql as $$ begin
      if current_setting('keylift.writer', true) like 'stage:%' then perform pg_advisory_xact_lock(79); end if;
      return null; end $$;
    create trigger zz_halt after delete or insert on public.api_keys for each statement
      execute function keylift.test_halt()`);
  const running = scenario.start(command);
  await keyliftWaitsFor(scenario.db, holder);
  const writer = await Session.open(scenario.db);
  const change = await writer.startBlocked(sql);
  await holder.run('select pg_advisory_unlock(79)');
  const { exitCode, stderr } = await running.ended;
  expect(exitCode, stderr).to.equal(0);
  expect(await change.end).to.equal('done');
  await scenario.db.query('drop function keylift.test_halt() cascade');
}
