import { expect } from 'chai';
import type { Explanation } from '../../src/explain/document.js';
import { TEXTS } from '../schemas/shapes/texts.js';
import { ShapeWorld } from '../schemas/shapes/world.js';

describe('explain, where an id equals another spelling of it', () => {
  let shop: ShapeWorld;
  before(async () => {
    shop = await ShapeWorld.of(TEXTS.find(({ name }) => name.includes('whose case does not count'))!);
  });
  after(() => shop.scenario.close());

  it('finds the API that a key was made in, and the key, however they are written', async () => {
    for (const command of ['plan', 'migrate --yes', 'finalize --yes', 'finalize --purge --yes']) {
      await shop.scenario.must(command, 0, 6);
      const {
        keys: [key],
      } = (await shop.scenario.must('explain kEY1 --json')).json<Explanation>();
      expect([key!.key_id, key!.outcome, key!.opens.before], command).to.deep.equal(['Key1', 'move', ['invoices']]);
      expect(key!.opens.after, command).to.include.members(['invoices', 'receipts']);
    }
  });
});
