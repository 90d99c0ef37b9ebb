import { expect } from 'chai';
import { maskLiterals } from '../../src/config/redact.js';
import type { History } from '../../src/history/history.js';
import { schemaOf } from '../schemas/answers.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';

describe('history', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 200 });
  });
  afterEach(() => scenario.close());
  const history = async (): Promise<History> => {
    const { json } = await scenario.must('history --json');
    const validate = schemaOf('history');
    expect(validate(json()), JSON.stringify(validate.errors)).to.equal(true);
    return json<History>();
  };

  it('lists what ran with its arguments, how long it took, and how it ended', async () => {
    expect(await history()).to.deep.equal({ total: 0, runs: [] });
    await scenario.must('migrate --yes --until expand --concurrency 3');
    await scenario.must('finalize --yes', 3);
    const { total, runs } = await history();
    expect(total).to.equal(2);
    const [failed, done] = runs as [History['runs'][number], History['runs'][number]];
    expect(done).to.deep.include({
      command: 'migrate',
      arguments: ['--until', 'expand', '--concurrency', '3', '--yes'],
      state: 'ended',
      exit_code: 0,
      error_code: null,
    });
    expect(done.seconds).to.be.a('number').that.is.at.least(0);
    expect(failed).to.deep.include({
      command: 'finalize',
      arguments: ['--yes'],
      state: 'ended',
      exit_code: 3,
      error_code: 'not_switched',
      result: null,
    });
    const { stdout } = await scenario.must('history');
    expect(stdout).to.match(/^started \(UTC\) +took +result +run +by\n/);
    expect(stdout).to.include('3 not_switched').and.to.include('0 done');
    expect(stdout).to.include('\n  keylift migrate --until expand --concurrency 3 --yes\n');
    expect(stdout).to.include(done.run_id.slice(0, 8));
    expect(stdout.split('\n').filter((line) => line.length > 80)).to.deep.equal([]);
  });

  it('tells a run that is lost from one that is active', async () => {
    await scenario.must('migrate --yes --until expand');
    const insert = (seconds: number): string =>
      `insert into keylift.runs (command, host, pid, version, lease_until)
       values ('migrate', 'elsewhere', 1, '0', clock_timestamp() + interval '${String(seconds)} seconds')`;
    await scenario.db.query(insert(-1));
    await scenario.db.query(insert(600));
    const { runs } = await history();
    expect(runs.map(({ state }) => state)).to.deep.equal(['active', 'lost', 'ended']);
    expect(runs[1]).to.deep.include({ seconds: null, ended_at: null, arguments: null });
  });

  it('keeps no secret of the command line', async () => {
    const query = `select count(*) from public.apis where slug = 'hush-1' and name = $x$hush-2$x$ and id < 0`;
    const { exitCode, stderr } = await scenario.run([
      'migrate',
      '--yes',
      '--until',
      'expand',
      '--throttle-query',
      query,
      '--database-url',
      scenario.url,
    ]);
    expect(exitCode, stderr).to.equal(0);
    const { runs } = await history();
    expect(runs[0]!.arguments).to.deep.equal([
      '--until',
      'expand',
      '--throttle-query',
      `select count(*) from public.apis where slug = '***' and name = '***' and id < 0`,
      '--yes',
    ]);
    const kept = JSON.stringify(await scenario.db.query('select arguments from keylift.runs'));
    expect(kept).to.not.include('hush').and.to.not.include(scenario.url);
  });

  it('masks literals that have a quote in them, and one without an end', () => {
    expect(maskLiterals(`select 'it''s' || E'a\\'b', $$c$$ where d = 'open`)).to.equal(
      `select '***' || E'***', '***' where d = '***'`,
    );
  });
});
