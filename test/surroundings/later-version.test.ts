import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { MOTLEY } from '../support/motley.js';
import { createReader } from '../support/reader.js';
import { Scenario } from '../support/scenario.js';

const COMMANDS = [
  'migrate --yes',
  'verify',
  'status',
  'switch --all --yes',
  'finalize --yes',
  'rollback --yes',
  'explain 1',
  'plan',
  'pause',
];

describe('a ledger of a later version', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes', 6);
  });
  afterEach(() => scenario.close());

  for (const [what, later] of Object.entries({
    'whose run it has': `update keylift.runs set version = '0.10.0-beta.1'`,
    'whose step it has': `insert into keylift.knex_migrations (name, batch, migration_time) values ('99_of_tomorrow', 1, now())`,
  })) {
    it(`${what}, is refused by every command that uses it, and nothing changes`, async () => {
      await scenario.db.query(later);
      const before = [await scenario.legacyDigest(), await scenario.targetDigest()];
      for (const command of COMMANDS) {
        const { exitCode, stderr } = await scenario.run(command);
        expect([exitCode, stderr.includes('(code ledger_newer)')], `${command}\n${stderr}`).to.deep.equal([3, true]);
      }
      expect([await scenario.legacyDigest(), await scenario.targetDigest()]).to.deep.equal(before);
      const { exitCode, stdout } = await keylift('check --json', { env: { DATABASE_URL: scenario.db.url } });
      expect(exitCode).to.equal(2);
      expect((JSON.parse(stdout) as { faults: { kind: string }[] }).faults.map(({ kind }) => kind)).to.deep.equal([
        'ledger',
      ]);
    });
  }

  it('is told from one of an earlier version, and of the same', async () => {
    for (const version of ['0.0.9', '0.1.0', '0.1.0-alpha']) {
      await scenario.db.query('update keylift.runs set version = $1', [version]);
      await scenario.must('status');
    }
  });

  it('does not matter to a planner, who may not read it', async () => {
    await scenario.db.query(`update keylift.runs set version = '99.0.0'`);
    const reader = await createReader(scenario.db);
    try {
      expect((await scenario.run('plan', { url: reader.url })).exitCode).to.equal(6);
    } finally {
      await reader.drop();
    }
  });
});
