import { expect } from 'chai';
import { Platform } from '../support/platform.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { assertInvariants } from '../support/invariants.js';

const KEYS = 2_000;

/** Comes to the end of a stage, or half way through the last. */
const STAGES: Record<string, (scenario: Scenario) => Promise<void>> = {
  ...Object.fromEntries(
    ['expand', 'backfill', 'harden', 'verify', 'switch'].map((stage) => [
      stage,
      async (s: Scenario) => {
        await s.must(`migrate --yes --until ${stage} --batch-size 200`, 0, 6);
      },
    ]),
  ),
  'half a finalize': async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await brokenOff(s);
  },
  'half a finalize, gone on with': async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await brokenOff(s);
    await s.must('verify');
    await s.must('finalize --yes');
  },
  finalize: async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await s.must('finalize --yes');
  },
};

/** A finalize that the server ends when the rows are in the archive and the mirror is still on. */
async function brokenOff(scenario: Scenario): Promise<void> {
  await scenario.db.query(`create function keylift.test_fail() returns trigger language plpgsql as $$
      begin raise exception 'the server fails here'; end $$;
    create trigger zz_fail before insert on keylift.knex_migrations for each row when (new.name = '14_mirror_off')
      execute function keylift.test_fail()`);
  await scenario.must('finalize --yes', 1);
  await scenario.db.query('drop function keylift.test_fail() cascade');
  expect((await scenario.db.query('select count(*)::int as n from keylift.archived_keys'))[0]!.n).to.be.greaterThan(
    KEYS / 2,
  );
}

describe('every stage, with the platform writing to both tables', () => {
  for (const [stage, come] of Object.entries(STAGES)) {
    it(`${stage}: plan, run, verify, roll back, run again`, async () => {
      const scenario = await Scenario.open();
      try {
        await plantMany(scenario.db, { keys: KEYS });
        const platform = await Platform.start(scenario.db, { keys: KEYS });
        try {
          await scenario.must('plan', 0, 6);
          await come(scenario);
          await scenario.must('verify', ['expand', 'backfill'].includes(stage) ? 3 : 0);
          await scenario.must('rollback --yes', 0);
          await scenario.must('migrate --yes --batch-size 200', 0, 6);
          await scenario.must('verify', 0);
        } finally {
          await platform.stop();
        }
        expect(platform.refused.slice(0, 3), 'writes the platform lost').to.deep.equal([]);
        expect(platform.written).to.be.greaterThan(50);
        await scenario.must('verify', 0);
        await assertInvariants(scenario.db);
        await scenario.everyPair('all');
        await scenario.must('rollback --yes', 0);
        await scenario.everyPair('none');
      } finally {
        await scenario.close();
      }
    }).timeout(60_000);
  }
});
