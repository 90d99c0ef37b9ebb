import { expect } from 'chai';
import { rolesOf } from '../docs/roles.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { until } from '../support/waiting.js';
import { askGatesOf } from './asked.js';

/** Every transaction that can be seen is a long one. */
const OF_ANY_AGE = { change: (sql: string) => (sql.includes('xact_start') ? { values: [-1] } : {}) };

describe('an operator without pg_read_all_stats', () => {
  let scenario: Scenario;
  let url: string;
  let grant: () => Promise<unknown>;
  afterEach(() => scenario.close());
  const roles = rolesOf(() => scenario.db);
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await roles.make('operator');
    url = roles.url('operator');
    const role = decodeURIComponent(new URL(url).username);
    await scenario.db.query(`revoke pg_read_all_stats from ${role}`);
    grant = () => scenario.db.query(`grant pg_read_all_stats to ${role}`);
  });

  it("sees no other role's transaction, and is told so", async () => {
    const others = await scenario.db.connect();
    await others.query('begin; select');
    expect(await askGatesOf(url, OF_ANY_AGE)).to.deep.equal([]);
    for (const line of ['check', 'migrate --yes --until expand']) {
      const { exitCode, stdout, stderr } = await scenario.run(line, { url });
      expect([line, exitCode], stderr).to.deep.equal([line, 0]);
      expect((stdout + stderr).replace(/\s+/g, ' ')).to.match(
        /do not show this role what they are doing.*GRANT pg_read_all_stats/,
      );
    }
    await scenario.run('rollback --yes', { url });

    await grant();
    expect((await askGatesOf(url, OF_ANY_AGE)).map(({ gate }) => gate)).to.include('long_transactions');
    for (const line of ['check', 'migrate --yes --until expand']) {
      const { stdout, stderr } = await scenario.run(line, { url });
      expect(stdout + stderr).not.to.include('pg_read_all_stats');
    }
  });

  it('waits where --max-active was asked for, until sessions show what they are doing', async () => {
    const migration = scenario.start('migrate --yes --max-active 50', { url });
    await until('the run to say why it waits', async () =>
      (await scenario.must('status')).stdout.includes(
        'sessions at work cannot be counted: this role lacks pg_read_all_stats',
      ),
    );
    await grant();
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(6);
  });
});
