import { expect } from 'chai';
import pg from 'pg';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/embedded/server.js';
import { databaseOf } from '../support/own-server.js';
import { Platform } from '../support/platform.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { mountSmallDisk, NO_DISK, type SmallDisk } from '../support/small-disk.js';
import { until } from '../support/waiting.js';
import { lastWord } from './verdict.js';

const KEYS = 3_000;
const PACE = '--batch-size 200 --concurrency 2';

/** The way through the stages; whether one can end without room; who is answered from Settings before it. */
const STAGES = [
  { command: 'migrate --yes --until expand', fails: true, switched: null },
  { command: `migrate --yes --until backfill ${PACE}`, fails: true, switched: 'none' },
  { command: 'migrate --yes --until harden', fails: true, switched: 'none' },
  { command: 'migrate --yes --until verify', fails: false, switched: 'none' },
  { command: 'migrate --yes', fails: false, switched: 'none' },
  { command: 'finalize --yes', fails: true, switched: 'all' },
] as const;

/**
 * All that keylift makes is in a tablespace on a small disk; the legacy tables and the WAL are elsewhere. With the
 * WAL's own disk full the server stops, which is what the tests of a lost server are about.
 */
(NO_DISK === null ? describe : describe.skip)(
  `with the disk full${NO_DISK === null ? '' : ` (skipped: ${NO_DISK})`}`,
  function () {
    this.timeout(180_000);
    let server: EmbeddedServer;
    let disk: SmallDisk;
    let scenario: Scenario;
    let databases = 0;
    before(async () => {
      server = await startEmbeddedServer({ settings: { fsync: 'off' } });
      disk = await mountSmallDisk();
      const client = new pg.Client({ connectionString: server.url() });
      await client.connect();
      await client.query(`create tablespace small location '${disk.path}'`);
      await client.end();
    });
    after(async () => {
      await server.stop();
      await disk.remove();
    });
    beforeEach(async () => {
      disk.grow();
      scenario = await Scenario.open({ database: await databaseOf(server, `full_${String(++databases)}`) });
      await plantMany(scenario.db, { keys: KEYS });
      await scenario.db.query(`alter database ${scenario.db.name} set default_tablespace = small`);
    });
    afterEach(() => scenario.close());

    const refusedForRoom = async (line: string): Promise<void> => {
      const { exitCode, stdout, stderr } = await scenario.run(line);
      expect([exitCode, stdout], `${line}\n${stderr}`).to.deep.equal([5, '']);
      expect(stderr, line)
        .to.include('the disk of the database server is full')
        .and.include('sqlstate: 53100')
        .and.include('see runbook.md#disk-full')
        .and.not.match(/\n +at /);
    };

    it("ends with 5 in every stage that needs room, changes nobody's access, and goes on when there is room again", async () => {
      const legacy = await scenario.legacyDigest();
      let refused = 0;
      let pairs = 0;
      for (const { command, fails, switched } of STAGES) {
        await disk.squeeze({ leave: 0 });
        if (fails) {
          await refusedForRoom(command);
          refused += 1;
        } else {
          await scenario.must(command, 0, 5);
        }
        if (!command.startsWith('finalize')) expect(await scenario.legacyDigest(), command).to.equal(legacy);
        if (switched !== null) pairs += await pairsWhile(command, switched);
        disk.grow();
        await scenario.endLease().catch(() => undefined); // before expand there is none
        await scenario.must(command);
      }
      await scenario.must('rollback --yes');
      expect(await scenario.legacyDigest(), 'after the way back').to.equal(legacy);
      await lastWord(scenario, { 'stages refused for room': refused, 'pairs asked on a full disk': pairs });
    });

    /** Half of a finalize may be done; its rows are in the archive, and their account keys answer. */
    const pairsWhile = async (command: string, switched: 'none' | 'all'): Promise<number> =>
      command.startsWith('finalize')
        ? 0
        : scenario.everyPair(command === 'migrate --yes' && (await isSwitched()) ? 'all' : switched);

    const isSwitched = async (): Promise<boolean> =>
      (await scenario.db.query<{ mode: string }>('select mode from keylift.switch_rule'))[0]!.mode === 'all';

    it('refuses the platform what it has no room for, and loses nothing of what it took', async () => {
      await scenario.must('migrate --yes --until expand');
      const platform = await Platform.start(scenario.db, { keys: KEYS, tolerated: ['53100'] });
      await disk.squeeze({ leave: 64 * 1024 });
      await refusedForRoom(`migrate --yes ${PACE}`);
      await until('the platform to be refused', () => (platform.met['53100'] ?? 0) > 0);
      disk.grow();
      await scenario.endLease();
      await scenario.must(`migrate --yes ${PACE}`, 0, 6);
      await platform.stop();
      expect(platform.refused.slice(0, 3)).to.deep.equal([]);
      await lastWord(scenario, { 'writes taken': platform.written, 'refused for room': platform.met['53100'] ?? 0 });
    });

    it('is taken back on a full disk', async () => {
      const legacy = await scenario.legacyDigest();
      await scenario.must('migrate --yes --until expand');
      await disk.squeeze({ leave: 128 * 1024 });
      await refusedForRoom(`migrate --yes ${PACE}`);
      await scenario.endLease();
      await scenario.must('rollback --yes');
      expect(await scenario.legacyDigest()).to.equal(legacy);
      disk.grow();
      await lastWord(scenario);
    });
  },
);
