import type { Ended } from '../support/scenario.js';
import type { Ground } from './ground.js';

/** The platform's writes that belong to a step: all of its slot, or those of the old release alone. */
export type Writes = () => Promise<void>;

/** What a step leaves behind: does last use stand in both tables now? */
export interface Done { caughtUp: boolean }

export const LAGGING: Done = { caughtUp: false };

/** Runs a command, beside the platform's writes where there are any, and notes an exit code that must not be. */
export async function command(ground: Ground, line: string, codes: readonly number[], beside?: Writes): Promise<Ended> {
  const running = ground.scenario.start(line);
  await beside?.();
  const ended = await running.ended;
  if (!codes.includes(ended.exitCode)) ground.faults.push({ world: null, what: `exit code of ${line}`, expected: codes, found: `${String(ended.exitCode)} ${ended.stdout}${ended.stderr}` });
  return ended;
}

/** Notes what an answer under --json says otherwise than the model. */
export function expectAnswer(ground: Ground, ended: Ended, expected: Record<string, unknown>): void {
  if (ground.faults.length > 0) return;
  const answer = ended.json();
  for (const [field, value] of Object.entries(expected)) {
    if (JSON.stringify(answer[field]) !== JSON.stringify(value)) ground.faults.push({ world: null, what: `the answer's ${field}`, expected: value, found: answer[field] });
  }
}

/** How many keys have this outcome, over all worlds. */
export function count(ground: Ground, outcome: string): number {
  return ground.worlds.flatMap(({ model }) => [...model.judged(ground.migration.held).values()]).filter((judgement) => judgement.outcome === outcome).length;
}
