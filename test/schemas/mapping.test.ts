import { expect } from 'chai';
import { judge } from '../support/rules.js';
import { SHAPES } from './shapes/all.js';
import { changeBoth } from './shapes/changes.js';
import type { Shape } from './shapes/shape.js';
import { ShapeWorld } from './shapes/world.js';

interface Planned {
  outcomes: Record<string, number>;
  total: number;
}

interface Outcome {
  error?: unknown;
}

describe('any schema', () => {
  // Two at a time: while one test waits for its shape, the next shape is on its way.
  const runs: Promise<Outcome>[] = [];
  const start = (at: number): void => {
    const shape = SHAPES[at];
    if (shape !== undefined)
      runs[at] ??= theWholeWay(shape).then(
        () => ({}),
        (error: unknown) => ({ error }),
      );
  };
  after(() => Promise.all(runs));

  SHAPES.forEach((shape, at) => {
    it(`${shape.name}: the whole way, there and back`, async () => {
      start(at);
      start(at + 1);
      const { error } = await runs[at]!;
      if (error !== undefined) throw error;
    });
  });
});

/** Every stage with changes in both tables, all accounts and some, back from every end, and through again. */
async function theWholeWay(shape: Shape): Promise<void> {
  const shop = await ShapeWorld.of(shape);
  const { scenario } = shop;
  const run = (line: string) => scenario.must(`${line} --yes`, 0, 6);
  try {
    const before = await shop.legacyRows();
    const planned = (await scenario.must('plan --json', 0, 6)).json<Planned>();
    await run('migrate --until expand');
    await shop.assertTypes();
    const judged = [...judge(await shop.world()).values()];
    expect(planned.total).to.equal(judged.length);
    for (const [outcome, count] of Object.entries(planned.outcomes))
      expect(judged.filter((j) => j.outcome === outcome).length, outcome).to.equal(count);
    expect(await shop.legacyRows()).to.deep.equal(before);
    await changeBoth(shop, { settings: false });
    await run('migrate --until backfill');
    await changeBoth(shop, { settings: false });
    await run('migrate --until harden');
    await changeBoth(shop);
    await run('migrate --until verify');
    await shop.assertSound();
    await shop.assertAnswers('none');

    const [first, second] = [...(await shop.world()).accounts].sort();
    const some = await scenario.file('accounts.csv', `account_id\n${first!}\n${second!}\n`);
    await run(`switch --accounts ${some}`);
    await shop.assertAnswers(new Set([first!, second!]));
    await run('switch --all');
    await changeBoth(shop);
    await shop.assertSound();
    await shop.assertAnswers('all');

    const standing = await shop.legacyRows();
    await run('rollback');
    expect(await shop.legacyRows()).to.deep.equal(standing);
    await shop.assertAnswers('none');

    await run('migrate');
    const answers = await shop.expectedAnswers('all');
    await run('finalize');
    expect(await shop.authorize()).to.deep.equal(Object.fromEntries([...answers].sort(([a], [b]) => (a < b ? -1 : 1))));
    await run('rollback');
    expect(await shop.legacyRows()).to.deep.equal(standing);
    await run('migrate');
    await shop.assertSound();
    await run('finalize');
  } finally {
    await scenario.close();
  }
}
