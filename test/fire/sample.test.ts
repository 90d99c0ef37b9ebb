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
  { at: 'backfill: copy a batch: before commit', fault: 'kill -9', story: 'backfill', time: 3 },
  { at: 'finalize: archive a page: after commit', fault: 'SIGTERM', story: 'finalize', time: 1 },
  { at: '14_mirror_off down: before commit', fault: 'connection reset', story: 'rollback from the archive', time: 1 },
  { at: '07_indexes up: while PostgreSQL works', fault: 'server crash', story: 'harden', time: 1 },
  { at: 'migrate: switch all accounts: before commit', fault: 'lost answer', story: 'switch', time: 1 },
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
        `      ${String(tally.crashes)} crash, ${String(tally.cells)} ` +
          `cells, ${String(tally.written)} rows written by live writers, ${String(tally.pairs)} answers compared\n`,
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
      failpoint: 'harden: decide a page of listed keys: after commit',
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

  const written = (body: string) => [{ name: 'src/stages/new.ts', text: body, imports: [] }];

  it('come with a new transaction and a new session, by their names', () => {
    const text = `await database.transaction((s) => s.query('x'), { name: 'new: write', retry: 'none' });
      await database.readOnly(look, { name: 'new: read' });
      await database.withSession(vacuum, { name: 'new: vacuum' });`;
    expect(allFailpoints(sitesOf(written(text))).slice(0, 5)).to.deep.equal([
      { name: 'new: write: before commit', at: 'before commit' },
      { name: 'new: write: after commit', at: 'between' },
      { name: 'new: vacuum: before', at: 'between' },
      { name: 'new: vacuum: after', at: 'between' },
      allFailpoints([])[0],
    ]);
  });

  for (const options of ['', ', options', ', { ...options }', ', { name: `page ${n}` }'])
    it(`are not lost: a scope without a literal name is refused (${options})`, () => {
      const text = `\nawait database.transaction(work${options});`;
      expect(() => sitesOf(written(text))).to.throw('src/stages/new.ts:2: this scope has no name that is a literal');
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
