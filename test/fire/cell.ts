import { expect } from 'chai';
import { MOTLEY_HOLDS } from '../support/motley.js';
import type { Scenario } from '../support/scenario.js';
import { FAULTS, holdBuild, untilBuilding } from './faults.js';
import { assertStands, assertTakenBack } from './last-word.js';
import { assertUninstalled, isUninstalled } from './uninstalled.js';
import type { Lane } from './lane.js';
import { Platform } from './platform.js';
import type { Failpoint } from './sites.js';
import { STORIES, type Story, type StoryName } from './stories.js';
import { startVictim, type Met, type Victim } from './victim.js';

/** The result of one crash, continued and rolled back. */
export interface Tally {
  cells: number;
  crashes: number;
  /** Runs that recovered without another command. */
  recovered: number;
  written: number;
  pairs: number;
}

export const noTally = (): Tally => ({ cells: 0, crashes: 0, recovered: 0, written: 0, pairs: 0 });

export interface Cell {
  failpoint: Failpoint;
  fault: string;
  story: StoryName;
  /** Which time the failpoint is come by. */
  time: number;
}

export const WAYS = ['goes on', 'is taken back'] as const;

/** One crash with the platform at work, and both ways on from there, each with the platform at work again. */
export async function runCell(lane: Lane, cell: Cell): Promise<Tally> {
  const tally = noTally();
  const story: Story = STORIES[cell.story];
  const crashed = await crash(lane, cell, tally);
  const copy = await lane.copyOf(crashed.db);
  try {
    await underLoad(crashed, tally, () => goOn(lane, crashed, story));
    tally.pairs +=
      cell.story === 'uninstall' ? await assertUninstalled(crashed.db) : await stands(lane, crashed, story);
    const purged = await underLoad(copy, tally, () => takeBack(lane, copy));
    if (await isUninstalled(copy.db)) tally.pairs += await assertUninstalled(copy.db);
    else if (purged) tally.pairs += await stands(lane, copy, { switched: 'all' });
    else tally.pairs += await assertTakenBack(lane, copy, MOTLEY_HOLDS);
    tally.cells += WAYS.length;
    return tally;
  } finally {
    await Promise.all([crashed.close(), copy.close()]);
  }
}

const stands = (
  lane: Lane,
  scenario: Scenario,
  { switched, held = MOTLEY_HOLDS }: Pick<Story, 'switched' | 'held'>,
): Promise<number> => assertStands(lane, scenario, { switched, held });

/** Runs the story's command up to the failpoint, and lets the fault happen there. */
async function crash(lane: Lane, { failpoint, fault, story, time }: Cell, tally: Tally): Promise<Scenario> {
  const { line } = STORIES[story];
  const scenario = await lane.ground(STORIES[story]);
  const { strike, ends } = FAULTS[fault]!;
  await underLoad(scenario, tally, async () => {
    const victim = startVictim(lane.compiled, {
      words: lane.words(line),
      url: lane.proxy.url(scenario.db.url),
      failpoint: failpoint.name,
      time,
    });
    try {
      const met = await victim.met;
      const letFinish = failpoint.at === 'building' ? await halfBuilt(scenario, { failpoint, victim, met }) : undefined;
      await strike({ lane, victim, met });
      await letFinish?.();
      const end = await victim.exited;
      expect(ends, `how it ended\n${victim.output()}`).to.include(end);
      expect(victim.output()).to.not.match(/\n +at /);
      await scenario.assertNoSecrets(victim.output());
      tally.crashes += 1;
      if (end === 0 || end === 6) tally.recovered += 1;
    } finally {
      victim.process.kill('SIGKILL');
      await victim.exited;
      lane.proxy.heal();
    }
  });
  return scenario;
}

/** Lets it send what builds an index, and holds that up half way. Resolves to what lets it be finished. */
async function halfBuilt(
  { db }: Scenario,
  { failpoint, victim, met }: { failpoint: Failpoint; victim: Victim; met: Met },
): Promise<() => Promise<void>> {
  const table = failpoint.name.startsWith('04_') ? 'public.api_keys' : 'public.account_api_keys';
  const letFinish = await holdBuild(db, { table });
  victim.release();
  await untilBuilding(db, met);
  return letFinish;
}

/** Both ways on begin with whatever the crash left, and may need more than one run. */
async function goOn(lane: Lane, scenario: Scenario, { line, goOn: lines }: Story): Promise<void> {
  for (const next of lines ?? [line]) {
    const { exitCode, stderr } = await lane.run(scenario, next);
    expect([0, 6], `keylift ${next}\n${stderr}`).to.include(exitCode);
  }
}

/** True when there was no way back, because the purge had been committed. */
async function takeBack(lane: Lane, scenario: Scenario): Promise<boolean> {
  const { exitCode, stderr } = await lane.run(scenario, 'rollback --yes');
  if (exitCode === 0) return false;
  expect([exitCode, /archive was purged/.test(stderr)], stderr).to.deep.equal([3, true]);
  return true;
}

async function underLoad<T>({ db }: Scenario, tally: Tally, work: () => Promise<T>): Promise<T> {
  const platform = Platform.start(db.url);
  const result = await work().finally(() => platform.stop());
  tally.written += platform.written;
  expect(platform.refused, 'writes that the platform lost').to.deep.equal([]);
  return result;
}
