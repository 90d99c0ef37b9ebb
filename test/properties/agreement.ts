import { inspect } from 'node:util';
import { expect } from 'chai';
import { describe, it } from 'mocha';
import pLimit from 'p-limit';
import type { Fault } from './ground.js';
import { play, type Played } from './play.js';
import { draw, PATH_VARIABLE, planRuns, SEED_VARIABLE, shrink, type Draw, type Plan } from './runs.js';

/** Databases at once. */
const BESIDE = 2;

const show = (value: unknown): string =>
  inspect(JSON.parse(JSON.stringify(value)), {
    depth: null,
    breakLength: 180,
    compact: 10,
    maxArrayLength: null,
    maxStringLength: 2_000,
  });

/** Of a database in which something was wrong: the world alone, as small as it still fails. */
async function story(plan: Plan, drawn: Draw, faults: readonly Fault[]): Promise<string> {
  const said = `${show(faults.slice(0, 5))}\n${show(drawn.script)}`;
  const suspects = new Set(faults.map(({ world }) => world));
  const numbers = suspects.has(null) || suspects.size === 0 ? [...drawn.worlds.keys()] : ([...suspects] as number[]);
  for (const number of numbers) {
    const alone = {
      seed: plan.seed,
      database: drawn.database,
      number,
      script: drawn.script,
      world: drawn.worlds.get(number)!,
    };
    let last: Fault[] = [];
    const smallest = await shrink(alone, async ({ script, world }) => {
      const played = await play({ script, worlds: new Map([[number, world]]) });
      if (played.faults.length > 0) last = played.faults;
      return played.faults.length > 0;
    });
    if (smallest !== undefined) {
      return (
        `${said}\n\n${SEED_VARIABLE}=${String(plan.seed)} ` +
        `${PATH_VARIABLE}=${String(drawn.database)}:${String(number)} plays it again; at its smallest:\n` +
        `${show(smallest)}\n${show(last.slice(0, 5))}`
      );
    }
  }
  return (
    `${said}\n\nNo world of database ${String(drawn.database)} ` +
    `(${SEED_VARIABLE}=${String(plan.seed)}) fails alone.`
  );
}

/** Registers the test that so many worlds, or as many as the environment says, agree with the model. */
export function agreement(title: string, worlds: number): void {
  describe(title, () => {
    const plan = planRuns(process.env, worlds);

    /** The databases to be played, drawn when they are due. */
    const databases = (): (() => Draw)[] => {
      const { seed, only } = plan;
      if (only === null) return plan.sizes.map((size, database) => () => draw({ seed, database, size }));
      const { database, world } = only;
      const { worlds, ...drawn } = draw({ seed, database, size: world });
      return [() => ({ ...drawn, worlds: new Map([[world, worlds.get(world)!]]) })];
    };

    it(`agree in all they do (seed ${String(plan.seed)})`, async function () {
      this.timeout(plan.runs * 10_000 + 600_000);
      const began = performance.now();
      const done: Played[] = [];
      const limit = pLimit(BESIDE);
      const failed: { drawn: Draw; faults: Fault[] }[] = [];
      await Promise.all(
        databases().map((drawing) =>
          limit(async () => {
            if (failed.length > 0) return;
            const drawn = drawing();
            const played = await play(drawn);
            done.push(played);
            if (played.faults.length > 0) failed.push({ drawn, faults: played.faults });
          }),
        ),
      );
      const sum = (field: 'steps' | 'writes') => done.reduce((total, played) => total + played[field], 0);
      process.stdout.write(
        `      ${String(plan.runs)} worlds in ${String(done.length)} ` +
          `databases, ${String(sum('steps'))} steps of ` +
          `operators, ${String(sum('writes'))} writes ` +
          `of platforms in ${((performance.now() - began) / 1000).toFixed(1)} s\n`,
      );
      for (const { drawn, faults } of failed.slice(0, 1)) expect.fail(await story(plan, drawn, faults));
    });
  });
}
