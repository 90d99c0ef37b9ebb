import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { keylift } from '../cli/harness.js';
import { useFixtureDatabase } from '../exit-codes/fixture-database.js';
import { SHIPPED } from '../cases/case-directory.js';

/** Each command line with the file that it writes. */
const WRITERS: readonly (readonly [line: string, file: string, before?: string])[] = [
  ['plan --log-file keylift.log', 'keylift.log'],
  ['plan --notice customers.csv', 'customers.csv'],
  ['plan --keys keys.csv', 'keys.csv'],
  ['plan --dormant dormant.csv', 'dormant.csv'],
  ['plan --out plan.json', 'plan.json'],
  ['init --force', 'keylift.config.notes.md'],
  [`snapshot check ${path.join(SHIPPED, 'story')} --junit results.xml`, 'results.xml'],
  ['report page.html', 'page.html', 'migrate --yes'],
];

describe('files about keys', () => {
  const fixture = useFixtureDatabase();
  let folder: string;
  beforeEach(async () => {
    await fixture.load('story');
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-modes-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const run = async (line: string): Promise<void> => {
    const { exitCode, stderr } = await keylift(line, { cwd: folder, env: { DATABASE_URL: fixture.database().url } });
    expect(exitCode, stderr).to.equal(0);
  };
  const modeOf = async (file: string): Promise<string> =>
    ((await stat(path.join(folder, file))).mode & 0o777).toString(8);

  for (const [line, file, before] of WRITERS) {
    it(`may be read by their owner alone, new or there before: ${path.basename(file)}`, async () => {
      if (before !== undefined) await run(before);
      await run(line);
      expect(await modeOf(file), 'new').to.equal('600');
      await writeFile(path.join(folder, file), '');
      await chmod(path.join(folder, file), 0o664);
      await run(line);
      expect(await modeOf(file), 'there before').to.equal('600');
    });
  }

  it("stand in a folder of their owner's alone where they are a case", async () => {
    await run('snapshot export sample --accounts 2');
    expect([await modeOf('sample'), await modeOf('sample/legacy.json')]).to.deep.equal(['700', '600']);
  });

  it('may be a device, which keeps its mode', async () => {
    const before = (await stat('/dev/null')).mode;
    await run('plan --log-file /dev/null');
    expect((await stat('/dev/null')).mode).to.equal(before);
  });
});
