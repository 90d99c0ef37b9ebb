import os from 'node:os';
import { expect } from 'chai';
import { noTally, runCell, type Cell, type Tally } from './cell.js';
import { compileProgram } from './compile.js';
import { FAULTS } from './faults.js';
import { Lane } from './lane.js';
import { cellsOf, passedOver, recordStories, type Recorded } from './plan.js';
import { allFailpoints, type Failpoint } from './sites.js';
import { STORY_NAMES } from './stories.js';

/** Narrows the matrix: a pattern on `failpoint: fault`. */
const ONLY = new RegExp(process.env.KEYLIFT_FIRE ?? '');
/** Every failpoint in every story that comes by it, also where all stories are alike. */
const ALL = process.env.KEYLIFT_FIRE_ALL === '1';
/** So many faults for a failpoint, another one for each in turn; without it every one that fits. */
const FAULTS_EACH = Number(process.env.KEYLIFT_FIRE_FAULTS_EACH ?? Infinity);
/** Cells at once, each lane with a server of its own. */
const LANES = Number(process.env.KEYLIFT_FIRE_LANES ?? Math.min(4, os.availableParallelism()));

interface Entry {
  failpoint: Failpoint;
  fault: string;
}

const FAILPOINTS = allFailpoints().filter(({ name }) => !passedOver(name));
const ENTRIES: Entry[] = FAILPOINTS.flatMap((failpoint, place) => {
  const fitting = Object.entries(FAULTS)
    .filter(([, { fits }]) => fits(failpoint))
    .map(([fault]) => ({ failpoint, fault }));
  const inTurn = [...fitting.slice(place % fitting.length), ...fitting.slice(0, place % fitting.length)];
  return inTurn.slice(0, FAULTS_EACH).filter(({ fault }) => ONLY.test(`${failpoint.name}: ${fault}`));
});

describe('the crash matrix', function () {
  this.timeout(600_000);
  const compiled = compileProgram();
  let lanes: Lane[] = [];
  let record: Recorded = new Map();
  const results = new Map<Entry, Promise<Tally>>();
  const total = { ...noTally(), seconds: 0 };
  const began = performance.now();

  before(async () => {
    lanes = await Promise.all(Array.from({ length: LANES }, () => Lane.open(compiled)));
    const share = (lane: Lane, at: number) =>
      recordStories(
        lane,
        STORY_NAMES.filter((_, n) => n % LANES === at),
      );
    const parts = await Promise.all(lanes.map(share));
    record = new Map(parts.flatMap((part) => [...part]));
  });
  after(async () => {
    await Promise.all(lanes.map((lane) => lane.close()));
    compiled.remove();
    const { crashes, cells, recovered, written, pairs } = total;
    process.stdout.write(
      `      ${String(FAILPOINTS.length)} failpoints, ` +
        `${String(Object.keys(FAULTS).length)} faults: ` +
        `${String(crashes)} crashes, ${String(recovered)} of them recovered from by the run itself, ` +
        `${String(cells)} cells, ${String(written)} rows ` +
        `written by live writers, ${String(pairs)} answers ` +
        `compared, ${((performance.now() - began) / 1000).toFixed(0)} s in ${String(LANES)} lanes\n`,
    );
  });

  it('comes by every failpoint that the code has', () => {
    const passed = new Set([...record.values()].flatMap((points) => [...points.keys()]));
    expect(
      FAILPOINTS.map(({ name }) => name).filter((name) => !passed.has(name)),
      'no story comes by',
    ).to.deep.equal([]);
    const known = new Set(allFailpoints().map(({ name }) => name));
    expect(
      [...passed].filter((name) => !known.has(name)),
      'not known',
    ).to.deep.equal([]);
  });

  for (const entry of ENTRIES) {
    it(`${entry.failpoint.name}: ${entry.fault}`, async () => {
      fill();
      const tally = await results.get(entry)!;
      for (const key of Object.keys(noTally()) as (keyof Tally)[]) total[key] += tally[key];
      expect(tally.cells, 'cells').to.be.greaterThan(0);
    });
  }

  /** Sets the lanes to work, once: each takes the next entry, in the order of the tests. */
  function fill(): void {
    if (results.size > 0) return;
    const free = [...lanes];
    const waiting: ((lane: Lane) => void)[] = [];
    const lane = (): Promise<Lane> =>
      new Promise((resolve) => {
        const next = free.shift();
        if (next === undefined) waiting.push(resolve);
        else resolve(next);
      });
    const giveBack = (used: Lane): void => {
      const next = waiting.shift();
      if (next === undefined) free.push(used);
      else next(used);
    };
    for (const entry of ENTRIES) {
      const result = lane().then((mine) =>
        runCells(mine, cellsOf({ ...entry, record, all: ALL })).finally(() => {
          giveBack(mine);
        }),
      );
      result.catch(() => undefined); // its test tells
      results.set(entry, result);
    }
  }
});

async function runCells(lane: Lane, cells: readonly Cell[]): Promise<Tally> {
  const sum = noTally();
  for (const cell of cells) {
    const tally = await runCell(lane, cell).catch((error: unknown) => {
      (error as Error).message = `in the story "${cell.story}", time ${String(cell.time)}: ${(error as Error).message}`;
      throw error;
    });
    for (const key of Object.keys(sum) as (keyof Tally)[]) sum[key] += tally[key];
  }
  return sum;
}
