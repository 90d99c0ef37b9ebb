import fc from 'fast-check';
import { scriptDraw, worldDraw, type ScriptDraw, type WorldDraw } from './draws.js';
import type { Drawn } from './play.js';

/** Names the seed of a run to be had again; without it, one by the clock. */
export const SEED_VARIABLE = 'KEYLIFT_PROPERTY_SEED';
/** How many worlds are played. */
export const RUNS_VARIABLE = 'KEYLIFT_PROPERTY_RUNS';
/** `database:world` of one world to be played alone; with it, nothing else is. */
export const PATH_VARIABLE = 'KEYLIFT_PROPERTY_PATH';

/** One world in so many has a database, and an operator, of its own. */
const ALONE = 12;
const CROWD = 23;

/** One database: its number is part of every replay. */
export interface Draw extends Drawn {
  database: number;
}

export interface Plan {
  seed: number;
  runs: number;
  /** How many worlds each database has, by its number. */
  sizes: number[];
  /** The one world that is to be played, alone. */
  only: { database: number; world: number } | null;
}

export function planRuns(env: NodeJS.ProcessEnv, otherwise: number): Plan {
  const runs = Number(env[RUNS_VARIABLE] ?? otherwise);
  const alone = Math.ceil(runs / ALONE);
  const crowds = Math.ceil((runs - alone) / CROWD);
  const sizes = [
    ...Array.from({ length: alone }, () => 1),
    ...Array.from({ length: crowds }, (_, at) => Math.min(CROWD, runs - alone - at * CROWD)),
  ];
  const path = env[PATH_VARIABLE]?.split(':').map(Number);
  return {
    only: path === undefined ? null : { database: path[0]!, world: path[1]! },
    seed: Number(env[SEED_VARIABLE] ?? Date.now() % 2 ** 31),
    runs,
    sizes,
  };
}

/** What fast-check draws for a database, from the seed and its number alone. Worlds have numbers from 1. */
export function draw({ seed, database, size }: { seed: number; database: number; size: number }): Draw {
  const [script] = fc.sample(scriptDraw, { seed: seed + database, numRuns: 1, unbiased: true });
  const worlds = fc.sample(worldDraw, { seed: seed + database, numRuns: size, unbiased: true });
  return { database, script: script!, worlds: new Map(worlds.map((world, at) => [at + 1, world])) };
}

export interface Shrunk {
  script: ScriptDraw;
  world: WorldDraw;
}

/** How long each of both may be shrunk, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Looks for the smallest script, then the smallest world, that still fail.
 *
 * @param fails plays a world alone
 * @returns undefined where the world does not fail alone
 */
export async function shrink(
  { seed, database, number, ...drawn }: { seed: number; database: number; number: number } & Shrunk,
  fails: (tried: Shrunk) => Promise<boolean>,
): Promise<Shrunk | undefined> {
  const options = { seed: seed + database, numRuns: 1, unbiased: true, interruptAfterTimeLimit: PATIENCE };
  const byScript = await fc.check(
    fc.asyncProperty(scriptDraw, async (script) => !(await fails({ ...drawn, script }))),
    { ...options, path: '0' },
  );
  if (byScript.counterexample === null) return undefined;
  const [script] = byScript.counterexample;
  const byWorld = await fc.check(
    fc.asyncProperty(worldDraw, async (world) => !(await fails({ script, world }))),
    { ...options, path: String(number - 1) },
  );
  return { script, world: byWorld.counterexample?.[0] ?? drawn.world };
}
