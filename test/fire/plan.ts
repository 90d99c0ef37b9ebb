import type { Cell } from './cell.js';
import { FAULTS } from './faults.js';
import type { Lane } from './lane.js';
import { allFailpoints, type Failpoint } from './sites.js';
import { STORIES, STORY_NAMES, type StoryName } from './stories.js';
import { startVictim } from './victim.js';

/** Which story comes by a failpoint, and how often. */
export type Recorded = ReadonlyMap<StoryName, ReadonlyMap<string, number>>;

/** Failpoints that no story comes by, each with the reason why that loses nothing. */
export const PASSED_OVER: readonly (readonly [RegExp, string])[] = [
  [/^run: send a heartbeat:/, 'occurs every two seconds, longer than a story takes; it only prolongs a lease'],
  [/^run: record a wait:/, 'records why a run waits, for status; no story waits'],
  [/^record that the mirror is off:/, 'adds one event before a command ends with 4; nothing follows'],
  [/^0[123]_\w+ down/, 'no command takes these steps back: uninstall removes the schema'],
];

export const passedOver = (name: string): boolean => PASSED_OVER.some(([pattern]) => pattern.test(name));

/** Each story commits another stage there. */
const ANOTHER_EACH_TIME = /^migrate: complete a stage:/;

/** Runs every story undisturbed and takes down what it comes by. */
export async function recordStories(
  lane: Lane,
  names: readonly StoryName[] = STORY_NAMES,
): Promise<Map<StoryName, ReadonlyMap<string, number>>> {
  const record = new Map<StoryName, ReadonlyMap<string, number>>();
  for (const name of names) {
    const scenario = await lane.ground(STORIES[name]);
    try {
      const victim = startVictim(lane.compiled, {
        words: lane.words(STORIES[name].line),
        url: lane.proxy.url(scenario.db.url),
      });
      const end = await victim.exited;
      if (end !== 0 && end !== 6) throw new Error(`the story "${name}" ended with ${String(end)}:\n${victim.output()}`);
      record.set(name, victim.passed);
    } finally {
      await scenario.close();
    }
  }
  return record;
}

/** After expand there is no index but that of the legacy table: dropping the others, IF EXISTS, waits for nobody. */
const waitsForNobody = (failpoint: string, story: StoryName): boolean =>
  story === 'rollback from expand' && / down: while/.test(failpoint) && !failpoint.startsWith('04_');

/**
 * The cells of one failpoint and one fault. Where several stories come by, one of them is taken, another for each fault
 * and failpoint in turn; `all` takes every one.
 */
export function cellsOf({
  failpoint,
  fault,
  record,
  all,
}: {
  failpoint: Failpoint;
  fault: string;
  record: Recorded;
  all: boolean;
}): Cell[] {
  const stories = [...record]
    .filter(([name, passed]) => passed.has(failpoint.name) && !waitsForNobody(failpoint.name, name))
    .map(([name]) => name);
  const place = Object.keys(FAULTS).indexOf(fault) + allFailpoints().findIndex(({ name }) => name === failpoint.name);
  const chosen =
    all || ANOTHER_EACH_TIME.test(failpoint.name) ? stories : stories.slice(place % stories.length).slice(0, 1);
  return chosen.map((story) => ({ failpoint, fault, story, time: middle(record.get(story)!.get(failpoint.name)!) }));
}

/** What is come by many times, batches, is broken off half way through. */
const middle = (times: number): number => (times < 4 ? 1 : Math.ceil(times / 2));
