import { expect } from 'chai';
import { assertInvariants } from '../support/invariants.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

const KEYS = 60;

/** The mapped tables are restored from a copy made before the migration, and the schema keylift stays. */
describe('a rollback of a migration whose tables were restored', () => {
  for (const last of [
    'migrate --yes --until backfill',
    'migrate --yes --until harden',
    'migrate --yes',
    'finalize --yes',
  ]) {
    it(`ends after ${last}, and migrate starts afresh`, async () => {
      const scenario = await Scenario.open();
      try {
        await plantMany(scenario.db, { keys: KEYS });
        await scenario.db.query(
          'create table public.copy as table public.api_keys; alter table public.copy add primary key (id)',
        );
        if (last.startsWith('finalize')) await scenario.must('migrate --yes');
        await scenario.must(last);
        const columns = await scenario.db.query('select * from public.copy order by id');
        await scenario.db.query(`
          drop table public.account_api_keys cascade;
          alter table public.api_keys disable trigger user;
          delete from public.api_keys; insert into public.api_keys overriding system value select * from public.copy;
          drop trigger if exists keylift_truncate on public.api_keys`);
        await scenario.must('rollback --yes');
        await scenario.must('rollback --yes');
        expect(await scenario.db.query('select * from public.api_keys order by id')).to.deep.equal(columns);
        await scenario.db.query('alter table public.api_keys enable trigger user');
        await scenario.must('migrate --yes');
        await scenario.must('verify');
        await assertInvariants(scenario.db);
      } finally {
        await scenario.close();
      }
    });
  }
});
