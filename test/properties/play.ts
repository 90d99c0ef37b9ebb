import pLimit from 'p-limit';
import { compare } from './compare.js';
import { ofOldRelease, type ScriptDraw, type WorldDraw, type WriteDraw } from './draws.js';
import { Ground, type Fault } from './ground.js';
import { operate, rollback, verify, writesItself } from './steps.js';

/** What was drawn for one database: a script of the operator's, and worlds by their numbers. */
export interface Drawn {
  script: ScriptDraw;
  worlds: ReadonlyMap<number, WorldDraw>;
}

/** Faults are those of the first step after which something was wrong. */
export interface Played {
  faults: Fault[];
  /** What was done up to there, step by step. */
  steps: number;
  writes: number;
}

/** Worlds that write at one moment. */
const WRITERS = 4;

/** Plays a script over its worlds in a database of its own, and compares with the model after every step. */
export async function play({ script, worlds }: Drawn): Promise<Played> {
  const ground = await Ground.open({ storeApis: script.storeApis, worlds });
  const played = { steps: 0, writes: 0 };
  try {
    await compare(ground, { caughtUp: false });
    for (const [slot, step] of script.steps.entries()) {
      if (ground.faults.length > 0) break;
      played.steps += 1;
      const itself = writesItself(step);
      played.writes += await writeSlot(
        ground,
        slot,
        (write) => itself === 'none' || (itself === 'old release' && !ofOldRelease(write)),
      );
      const { caughtUp } =
        ground.faults.length > 0
          ? { caughtUp: false }
          : await operate(ground, step, async () => {
              played.writes += await writeSlot(ground, slot, (write) => itself === 'all' || ofOldRelease(write));
            });
      if (ground.faults.length === 0) await compare(ground, { caughtUp });
      label(ground.faults, `step ${String(slot)}, ${step.kind}`);
    }
    if (ground.faults.length === 0) await end(ground, script.steps.length, played);
    return { faults: ground.faults, ...played };
  } catch (error) {
    return {
      faults: [
        ...ground.faults,
        { world: null, what: `an error after step ${String(played.steps)}`, found: (error as Error).stack },
      ],
      ...played,
    };
  } finally {
    await ground.close();
  }
}

/** The last writes, the proof, the way back. */
async function end(ground: Ground, slots: number, played: { writes: number }): Promise<void> {
  played.writes += await writeSlot(ground, null, () => true, slots);
  if (ground.faults.length === 0) await compare(ground, { caughtUp: false });
  if (ground.faults.length === 0) await compare(ground, await verify(ground));
  if (ground.faults.length === 0) await compare(ground, await rollback(ground));
  label(ground.faults, 'the end');
}

function label(faults: Fault[], at: string): void {
  for (const fault of faults) if (!fault.what.startsWith('after ')) fault.what = `after ${at}: ${fault.what}`;
}

/** Every world's writes of one slot, in their order; worlds beside one another. Without a slot: all from `from` on. */
async function writeSlot(
  ground: Ground,
  slot: number | null,
  which: (write: WriteDraw) => boolean,
  from = 0,
): Promise<number> {
  const limit = pLimit(WRITERS);
  let made = 0;
  await Promise.all(
    ground.worlds.map((world) =>
      limit(async () => {
        const mine = world.draw.writes.filter(
          (each) => (slot === null ? each.slot >= from : each.slot === slot) && which(each.write),
        );
        for (const { write } of mine) {
          if (ground.faults.some(({ world: number }) => number === world.number)) return;
          await ground.write(world, write);
          made += 1;
        }
      }),
    ),
  );
  return made;
}
