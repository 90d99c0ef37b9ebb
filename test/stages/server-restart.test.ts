import { expect } from 'chai';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { keylift } from '../cli/harness.js';
import { assertInvariants } from '../support/invariants.js';
import { databaseOf } from '../support/own-server.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { until } from '../support/waiting.js';
import { errorCodeOf } from '../support/error-document.js';

describe('migrate through a restart of the server', () => {
  let server: EmbeddedServer;
  before(async () => {
    server = await startEmbeddedServer({ settings: { fsync: 'off' } });
  });
  after(() => server.stop());

  for (const mode of ['fast', 'immediate'] as const) {
    it(`outlives a restart (${mode}), or ends with 5 and goes on where it stopped`, async () => {
      const scenario = await Scenario.open({ database: await databaseOf(server, `restart_${mode}`) });
      try {
        await plantMany(scenario.db, { keys: 100_000 });
        const legacy = await scenario.legacyDigest();
        const migration = scenario.start('migrate --yes --batch-size 500 --concurrency 2');
        await until('some batches', async () => (await scenario.batchesDone()) > 10);
        await server.restart(mode);
        const { exitCode, stderr } = await migration.ended;
        expect([0, 5], stderr).to.include(exitCode);
        expect(stderr).to.not.match(/\n +at /);
        expect(await scenario.batchesDone()).to.be.greaterThan(0);
        await scenario.endLease();
        expect((await scenario.must('migrate --yes --json')).json()).to.include({ stage: 'switch', moved: 90_000 });
        await assertInvariants(scenario.db);
        await scenario.must('verify');
        expect(await scenario.legacyDigest()).to.equal(legacy);
      } finally {
        await scenario.close();
      }
    });
  }

  it('ends with 5 while the server is away', async () => {
    const away = await startEmbeddedServer({ settings: { fsync: 'off' } });
    const env = { DATABASE_URL: away.url() };
    await away.stop();
    for (const line of ['status --json', 'plan', 'migrate --yes', 'verify', 'rollback --yes']) {
      const { exitCode, stdout, stderr } = await keylift(line, { env });
      const said = line.includes('--json') ? errorCodeOf(stdout) : stdout;
      expect([exitCode, said], line).to.deep.equal([5, line.includes('--json') ? 'database_unreachable' : '']);
      expect(stderr).to.include('cannot reach the database').and.not.include(new URL(env.DATABASE_URL).password);
    }
  });
});
