import { expect } from 'chai';
import { until } from '../support/waiting.js';
import { runCell, type Cell } from './cell.js';
import { compileProgram } from './compile.js';
import { Lane } from './lane.js';
import { PASSED_OVER } from './plan.js';
import { allFailpoints, sitesOf } from './sites.js';
import { startVictim } from './victim.js';

/** One cell for each fault, each in another part of the way; `npm run test:fire` runs them all. */
const CELLS: readonly (Omit<Cell, 'failpoint'> & { at: string })[] = [
  { at: 'stages/backfill/batch.ts runBatch: before commit', fault: 'kill -9', story: 'backfill', time: 3 },
  { at: 'stages/finalize/finalize.ts archiveAll: after commit', fault: 'SIGTERM', story: 'finalize', time: 1 },
  { at: '14_mirror_off down: before commit', fault: 'connection reset', story: 'rollback from the archive', time: 1 },
  { at: '07_indexes up: while PostgreSQL works', fault: 'server crash', story: 'harden', time: 1 },
  { at: 'stages/migrate.ts RUN_STAGE: before commit', fault: 'lost answer', story: 'switch', time: 1 },
];

describe('a sample of the crash matrix', function () {
  this.timeout(300_000);
  const compiled = compileProgram();
  let lane: Lane;
  before(async () => {
    lane = await Lane.open(compiled);
  });
  after(async () => {
    await lane.close();
    compiled.remove();
  });

  for (const { at, ...cell } of CELLS) {
    it(`${cell.story}, ${at}: ${cell.fault}`, async () => {
      const failpoint = allFailpoints().find(({ name }) => name === at);
      const tally = await runCell(lane, { ...cell, failpoint: failpoint! });
      expect(tally).to.include({ cells: 2, crashes: 1 });
      expect(tally.written, 'rows written by live writers').to.be.greaterThan(0);
      process.stdout.write(
        `      ${String(tally.crashes)} crash, ${String(tally.cells)} cells, ${String(tally.written)} rows written by live writers, ${String(tally.pairs)} answers compared\n`,
      );
    });
  }

  it('comes by a failpoint also when the transaction has to be tried again', async () => {
    const scenario = await lane.ground({ base: 'expanded' });
    const { db } = scenario;
    const platform = await db.connect();
    // Outcomes of duplicates, and of keys without an account, are written in pages.
    await platform.query('begin; lock table keylift.outcomes in share mode');
    const victim = startVictim(compiled, {
      words: lane.words('migrate --yes --until harden'),
      url: db.url,
      failpoint: 'stages/harden/listed-keys.ts decideListedKeys: after commit',
    });
    try {
      await until('a page to be waited for', () => victim.output().includes('waiting: another session'));
      await platform.query('rollback');
      await victim.met;
    } finally {
      victim.process.kill('SIGKILL');
      await victim.exited;
      await platform.end();
      await scenario.close();
    }
  });
});

describe('failpoints', () => {
  it('are found in the sources, each under a name of its own', () => {
    const names = allFailpoints().map(({ name }) => name);
    expect(names.length).to.be.greaterThan(100);
    expect(new Set(names).size).to.equal(names.length);
  });

  it('come by themselves with a new transaction', () => {
    const text = `export async function fresh(database) {\n  await database.transaction((s) => s.query('x'));\n  await database.transaction(work, { retry: 'underLoad' });\n  await database.readOnly(look);\n}`;
    expect(sitesOf([{ name: 'src/stages/new.ts', text, imports: [] }])).to.deep.equal([
      { name: 'stages/new.ts fresh (1)', kind: 'transaction', file: 'src/stages/new.ts', line: 2 },
      { name: 'stages/new.ts fresh (2)', kind: 'transaction', file: 'src/stages/new.ts', line: 3 },
    ]);
  });

  it('are passed over only where there are such', () => {
    const names = allFailpoints().map(({ name }) => name);
    for (const [pattern] of PASSED_OVER)
      expect(
        names.some((name) => pattern.test(name)),
        String(pattern),
      ).to.equal(true);
  });
});
