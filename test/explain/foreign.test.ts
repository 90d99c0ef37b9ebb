import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'chai';
import { FOREIGN_SETTINGS, foreignId as id, plantForeign } from '../support/foreign.js';
import { Scenario } from '../support/scenario.js';
import type { Explanation } from '../../src/explain/document.js';

describe('explain, notice and rehearsal on another schema', () => {
  let scenario: Scenario;
  let config: string;
  before(async () => {
    scenario = await Scenario.open({ schema: 'none' });
    config = await scenario.file('keylift.config.json', JSON.stringify(FOREIGN_SETTINGS));
    await plantForeign(scenario.db);
  });
  after(() => scenario.close());

  const explained = async (word: string): Promise<Explanation> =>
    (await scenario.must(`explain ${word} --json --config ${config}`)).json<Explanation>();

  it('rehearses and writes the notice', async () => {
    const notice = path.join(path.dirname(config), 'notice.csv');
    const plan = (await scenario.must(`plan --json --rehearse --notice ${notice} --config ${config}`)).json<{
      rehearsal: Record<string, number>;
    }>();
    expect(plan.rehearsal).to.include({ rows: 4, moved: 3 });
    expect(await readFile(notice, 'utf8')).to
      .equal(`account_id,account,key_id,key_name,opens_before,opens_after,apis_before,apis_after
own-é,,${id(1)},,ocr,every store API,1,2
own-é,,${id(3)},,invoices ocr,every store API,2,2
`);
  });

  for (const command of ['plan', 'migrate --yes', 'finalize --yes', 'finalize --purge --yes']) {
    it(`explains after ${command}`, async () => {
      await scenario.must(`${command} --config ${config}`);
      const {
        keys: [one],
      } = await explained(id(1));
      expect([one!.outcome, one!.account_id, one!.opens.before, one!.opens.after]).to.deep.equal([
        'move',
        'own-é',
        ['ocr'],
        ['invoices', 'ocr'],
      ]);
      expect((await explained(one!.fingerprint!)).keys.map((key) => key.key_id)).to.deep.equal([id(1)]);
      expect((await explained(id(4))).keys[0]).to.include({ outcome: 'merge' });
      expect((await explained(id(2))).keys[0]!.opens).to.deep.include({ before: ['mine'], after: ['mine'] });
      const outside = await scenario.run(`explain ${id(5)} --config ${config}`);
      expect(outside.exitCode).to.equal(2);
      expect(outside.stderr).to.include('legacy.keys.where');
    });
  }
});
