import { readFile, stat } from 'node:fs/promises';
import { expect } from 'chai';
import type { ReportFacts } from '../../src/report/facts/document.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';
import { schemaAt } from './schema.js';
import { STATIONS } from '../support/stations.js';

const validate = schemaAt('report');
const validStatus = schemaAt('status');

describe('report', () => {
  let scenario: Scenario;
  let file: string;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY, { holds: MOTLEY_HOLDS });
    file = await scenario.file('page.html', '');
  });
  afterEach(() => scenario.close());

  it('is refused where nothing was migrated, and leaves the file as it was', async () => {
    const { exitCode, stderr } = await scenario.run(`report ${file}`);
    expect([exitCode, await readFile(file, 'utf8')]).to.deep.equal([3, '']);
    expect(stderr).to.include('there is no migration to report on');
  });

  it('is made at every station', async () => {
    for (const command of [...STATIONS.map(([line]) => line), 'finalize --yes', 'finalize --purge --yes']) {
      await scenario.run(command);
      const ended = await scenario.run(`report ${file} --json`);
      expect(ended.exitCode, `${command}\n${ended.stderr}`).to.equal(0);
      const answer = ended.json<ReportFacts>();
      expect(validate(answer), `${command}\n${JSON.stringify(validate.errors)}`).to.equal(true);
      expect(validStatus(answer.status), JSON.stringify(validStatus.errors)).to.equal(true);
      expect(await readFile(file, 'utf8'), command).to.include('<section id="outcomes">');
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
    }
  });

  it('is drawn in the middle of a backfill, and its sums are the table', async () => {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 62);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    const { apis, timeline, runs } = (await scenario.must(`report ${file} --json`)).json<ReportFacts>();
    const sum = apis.flatMap(({ keys }) => Object.values(keys)).reduce((all, n) => all + n, 0);
    expect(sum).to.equal(MOTLEY.keys.length);
    expect(apis.reduce((n, { keys }) => n + keys.to_come, 0)).to.be.greaterThan(0);
    expect(timeline.batches.done).to.be.greaterThan(0);
    expect(runs.listed[0]).to.deep.include({ command: 'migrate', ended_at: null, attempt: 1 });
    expect(timeline.stages.map(({ stage }) => stage)).to.deep.equal(['expand']);
    await gate.remove();
    expect((await migration.ended).exitCode).to.equal(6);
  });

  it('counts as plan does', async () => {
    const plan = (await scenario.must('plan --json', 6)).json<{
      outcomes: Record<string, number>;
      exceptions: unknown[];
      exceptions_by_reason: unknown;
    }>();
    await scenario.must('migrate --yes', 6);
    const { apis, exceptions } = (await scenario.must(`report ${file} --json`)).json<ReportFacts>();
    const sum: Record<string, number> = {};
    for (const { keys } of apis)
      for (const [outcome, n] of Object.entries(keys)) sum[outcome] = (sum[outcome] ?? 0) + n;
    expect(sum).to.deep.equal({ ...plan.outcomes, to_come: 0 });
    expect(exceptions.listed.map(({ key_id, reason }) => ({ key_id, reason }))).to.deep.equal(plan.exceptions);
  });
});
