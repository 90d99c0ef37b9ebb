import { expect } from 'chai';
import { keyliftWaitsFor, Session } from '../sessions.js';
import { assertSound } from '../sound.js';
import { useStarts } from './ground.js';

/** Keys left behind are judged again by every migrate, beside whoever changes one of them. */
const CHANGES: Record<string, string> = {
  'mending of an exception': 'update public.api_keys set api_id = 1 where id = 90',
  'deletion of an exception': 'delete from public.api_keys where id = 90',
  'parting of merged twins': `update public.api_keys set token = 'apart' where id = 70`,
};

describe('a key that is judged again while somebody changes it', () => {
  const { migrated } = useStarts();
  for (const [what, sql] of Object.entries(CHANGES)) {
    for (const end of ['commit', 'rollback']) {
      it(`${what}, not committed when it is judged; then ${end}`, async () => {
        const scenario = await migrated();
        const writer = await Session.open(scenario.db);
        await writer.run('begin');
        await writer.run(sql);
        const migration = scenario.start('migrate --yes');
        await keyliftWaitsFor(scenario.db, writer);
        await writer.run(end);
        const { exitCode, stderr } = await migration.ended;
        expect([0, 6], stderr).to.include(exitCode);
        await assertSound(scenario, 'all');
      });
    }
  }
});
