import { expect } from 'chai';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { catalogDigest, createReader } from '../support/reader.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { schemaOf } from '../schemas/answers.js';
import { errorCodeOf } from '../support/error-document.js';

interface Rehearsal {
  rows: number;
  moved: number;
  seconds: number;
  rows_per_second: number | null;
  seconds_expected: number;
}
interface Plan {
  rehearsal: Rehearsal;
  seconds_expected: number;
  total: number;
  outcomes: Record<string, number>;
}

describe('plan --rehearse', () => {
  let scenario: Scenario;
  afterEach(() => scenario.close());

  const rehearsed = async (line = 'plan --rehearse --json', code = 0): Promise<Plan> => {
    const plan = (await scenario.must(line, code)).json<Plan>();
    const validate = schemaOf('plan');
    expect(validate(plan), JSON.stringify(validate.errors)).to.equal(true);
    return plan;
  };

  /**
   * Everything a rehearsal could leave: what is named, what is in the tables, where sequences stand, who may do what.
   */
  const traces = async (): Promise<unknown[]> => [
    await catalogDigest(scenario.db),
    await scenario.legacyDigest(),
    await scenario.db.query(`select schemaname, sequencename, last_value from pg_sequences order by 1, 2`),
    await scenario.db.query(`select nspname, nspacl from pg_namespace order by 1`),
    await Promise.all(
      (
        await scenario.db.query<{ name: string }>(
          `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'keylift'
            order by 1`,
        )
      ).map(({ name }) =>
        scenario.db.query(
          `select '${name}' as name, count(*) as rows, md5(string_agg(x::text, ',' order by x::text)) as digest
            from ${name} x`,
        ),
      ),
    ),
  ];

  it('copies the first 20,000 keys and leaves no trace', async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 25_000 });
    const before = await traces();
    const plan = await rehearsed();
    expect(plan.rehearsal).to.include({ rows: 20_000, moved: 18_000 });
    expect(plan.rehearsal.seconds).to.be.greaterThan(0);
    expect(plan.seconds_expected).to.equal(plan.rehearsal.seconds_expected);
    expect(plan.seconds_expected).to.be.closeTo((25_000 / 20_000) * plan.rehearsal.seconds, 0.11);
    expect(await traces()).to.deep.equal(before);
    const told = (await scenario.must('plan --rehearse')).stdout.replace(/\s+/g, ' ');
    expect(told).to.match(
      /Rehearsal: 20,000 keys in [\d.]+ s, 18,000 of them copied, [\d,]+ keys a second; rolled back\./,
    );
    expect((await scenario.must('migrate --yes --until backfill --json')).json()).to.include({ moved: 22_500 });
  });

  it('accounts for every key there is, holds among them', async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    const before = await traces();
    const bare = await rehearsed('plan --rehearse --json', 6);
    expect(bare.rehearsal.rows).to.equal(MOTLEY.keys.length);
    const held = await rehearsed(
      `plan --rehearse --json --holds ${await scenario.file('holds.csv', MOTLEY_HOLDS.csv)}`,
      6,
    );
    expect(held.rehearsal.rows).to.equal(MOTLEY.keys.length);
    expect(held.rehearsal.moved).to.be.lessThan(bare.rehearsal.moved);
    expect(await traces()).to.deep.equal(before);
  });

  it('has nothing to copy in an empty table', async () => {
    scenario = await Scenario.of({ accounts: [], apis: { invoices: 'store' }, keys: [] });
    expect((await rehearsed()).rehearsal).to.deep.equal({
      rows: 0,
      moved: 0,
      seconds: 0,
      rows_per_second: null,
      seconds_expected: 0,
    });
    expect((await scenario.must('plan --rehearse')).stdout).to.include('Rehearsal: nothing to copy.');
  });

  it('is refused while a ledger stands, also after a rollback', async () => {
    scenario = await Scenario.of(MOTLEY);
    for (const command of ['migrate --yes --until expand', 'migrate --yes', 'rollback --yes']) {
      await scenario.must(command, 0, 6);
      const before = await traces();
      const { exitCode, stdout, stderr } = await scenario.run('plan --rehearse --json');
      expect([exitCode, errorCodeOf(stdout)], stderr).to.deep.equal([3, 'rehearsal_too_late']);
      expect(stderr).to.include('nothing to rehearse');
      expect(await traces()).to.deep.equal(before);
    }
  });

  it('is refused to a role that could not migrate, gate by gate', async () => {
    scenario = await Scenario.of(MOTLEY);
    const reader = await createReader(scenario.db);
    const before = await traces();
    const { exitCode, stderr } = await scenario.run('plan --rehearse', { url: reader.url });
    expect(exitCode).to.equal(3);
    expect(stderr).to.include('this role lacks CREATE on the database');
    expect(await traces()).to.deep.equal(before);
    await reader.drop();
  });

  it('gives way where the legacy table is locked, and leaves no trace', async () => {
    scenario = await Scenario.of(MOTLEY);
    const before = await traces();
    // The plan itself reads the table, so the lock comes between: at the new table's name, as another migration's
    // would.
    const holder = await scenario.db.connect();
    await holder.query('begin; create schema keylift');
    const { exitCode, stderr } = await scenario.run('plan --rehearse');
    expect(exitCode, stderr).to.equal(5);
    await holder.query('rollback');
    expect(await traces()).to.deep.equal(before);
  });
});
