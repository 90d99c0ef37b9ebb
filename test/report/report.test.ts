import { readFile, stat } from 'node:fs/promises';
import { expect } from 'chai';
import type { Chronicle } from '../../src/chronicle/document.js';
import { MOTLEY, MOTLEY_HOLDS } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { STATIONS } from '../support/stations.js';

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
    for (const [command] of STATIONS) {
      await scenario.run(command);
      const { exitCode, stderr } = await scenario.run(`report ${file}`);
      expect(exitCode, `${command}\n${stderr}`).to.equal(0);
      expect(await readFile(file, 'utf8'), command).to.include('<section id="outcomes">');
      expect((await stat(file)).mode & 0o777).to.equal(0o600);
    }
  });

  it('counts as plan does', async () => {
    const plan = (await scenario.must('plan --json', 6)).json<{ outcomes: Record<string, number>; exceptions: unknown[]; exceptions_by_reason: unknown }>();
    await scenario.must('migrate --yes', 6);
    const { apis, exceptions } = (await scenario.must(`report ${file} --json`)).json<Chronicle>();
    const sum: Record<string, number> = {};
    for (const { keys } of apis) for (const [fate, n] of Object.entries(keys)) sum[fate] = (sum[fate] ?? 0) + n;
    expect(sum).to.deep.equal({ ...plan.outcomes, to_come: 0 });
    expect(exceptions.listed.map(({ key_id, reason }) => ({ key_id, reason }))).to.deep.equal(plan.exceptions);
  });
});
