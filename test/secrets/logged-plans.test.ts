import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import type { TestDatabase } from '../support/database.js';
import { MOTLEY } from '../support/motley.js';
import { plant, TOKEN_MARK } from '../support/seed.js';
import { startLoudServer, type LoudServer } from './loud-server.js';

/** Writes of the platform that name no token. The mirror reads tokens for all of them. */
const WRITES = [
  `update public.api_keys set name = 'renamed' where id = 1`,
  `update public.api_keys set revoked_at = now() where id in (1, 2, 7)`,
  `update public.api_keys set name = 'duplicate' where id in (20, 21)`,
  `delete from public.api_keys where id in (6, 8)`,
  `update public.account_api_keys set name = 'renamed again' where id = 9`,
  `update public.account_api_keys set revoked_at = now() where id = 9`,
  `delete from public.account_api_keys where id = 25`,
  `update public.api_keys set last_used_at = now() where id = 9`,
];

describe('plans in the log of the server', function () {
  this.timeout(120_000);
  let loud: LoudServer;
  let db: TestDatabase;
  before(async () => {
    loud = await startLoudServer();
    db = await loud.database('plans');
    await plant(db, MOTLEY);
  });
  after(() => loud.stop());

  const migrate = async (until: string): Promise<void> => {
    const { exitCode, stderr } = await keylift(`migrate --yes --until ${until}`, { env: { DATABASE_URL: db.url } });
    expect(exitCode, stderr).to.equal(6);
  };

  for (const stage of ['backfill', 'harden']) {
    it(`name no token where the platform writes without one, after ${stage}`, async () => {
      await migrate(stage);
      await loud.platformEntries();
      for (const write of WRITES) await db.query(write).catch(() => undefined);
      const entries = await loud.platformEntries();
      expect(entries.filter((entry) => entry.includes('Query Text')).length).to.be.greaterThan(WRITES.length);
      expect(entries.filter((entry) => entry.includes(TOKEN_MARK))).to.deep.equal([]);
    });
  }
});
