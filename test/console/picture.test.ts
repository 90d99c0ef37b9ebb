import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { bar, pictureText } from '../../src/console/picture.js';
import { pictureOf, type Live } from '../../src/console/status-picture.js';
import type { Status } from '../../src/status/status.js';

const PLACE = 'shop on db.example:5432';
const RUN = {
  id: '5f0c',
  command: 'migrate',
  host: 'ops-1',
  pid: 4711,
  started_at: '2026-01-02 03:04:05+00',
  until: 'switch',
  runs: 1,
  heartbeat_at: '2026-01-01T10:00:00.000Z',
  heartbeat_seconds: 1,
};
const COPYING: Status = {
  stage: 'expand',
  state: 'running',
  moved: 1_100_000,
  total: 2_000_000,
  looked_at: 1_234_567,
  reason: null,
  rows_per_second: 48_210,
  seconds_left: 16,
  batch_seconds: 0.512,
  concurrency: 2,
  lag_seconds: 0.25,
  lookups: null,
  doing: null,
  batches: { done: 26, open: 14, failed: 0 },
  stages: [{ stage: 'expand', seconds: 0.42 }],
  switched: 'none',
  exceptions: 12,
  mirror: { ok: true, faults: [] },
  run: RUN,
  silent_run: null,
};
const LIVE: Live = { stage: 'backfill', seconds: 25.4, doing: null, looked: null, reason: null, ended: false };

const draw = (
  status: Status,
  { live, columns = 80, unicode = true }: { live?: Live; columns?: number; unicode?: boolean } = {},
): string =>
  pictureText(pictureOf(status, { place: PLACE, ...(live === undefined ? {} : { live }) }), {
    columns,
    colour: false,
    unicode,
  });

describe('the picture of a run', () => {
  it('shows the run that paints itself', () => {
    expect(draw(COPYING, { live: LIVE })).to.equal(
      `keylift migrate: shop on db.example:5432
  ✔ expand    0.4 s
  ▶ backfill  25 s
    ████████████████████████▋░░░░░░░░░░░░░░░  61%  1,234,567 of 2,000,000 keys
    48,210 rows/s, about 16 s left, batches of 0.51 s, 2 at once, lag 0.3 s
  · harden
  · verify
  · switch
  1,100,000 account keys; 12 exceptions; every account is answered by its
  per-API keys
`,
    );
  });

  it('shows a watcher the same, and whose run it is', () => {
    const [own, seen] = [draw(COPYING, { live: LIVE }).split('\n'), draw(COPYING).split('\n')];
    expect(seen[0]).to.equal('keylift migrate, running: shop on db.example:5432');
    expect(seen.slice(3, 10)).to.deep.equal(own.slice(3, 10));
    expect(seen[10]).to.equal('  run 5f0c on ops-1, process 4711');
  });

  it('fits a narrow window, and tells no pace while it waits', () => {
    expect(
      draw({ ...COPYING, reason: 'a replica is 3.1 s behind; the limit is 2 s', state: 'waiting' }, { columns: 40 }),
    ).to.equal(
      `keylift migrate, waiting: shop on
db.example:5432
  ✔ expand    0.4 s
  ‖ backfill
    ███████████████████▏░░░░░░░░░░░  61%
    1,234,567 of 2,000,000 keys
    batches of 0.51 s, 2 at once,
    lag 0.3 s
  · harden
  · verify
  · switch
  waiting: a replica is 3.1 s behind;
  the limit is 2 s
  1,100,000 account keys; 12 exceptions;
  every account is answered by its
  per-API keys
  run 5f0c on ops-1, process 4711
`,
    );
  });

  for (const columns of [10, 20, 30, 40, 59, 60, 61, 79, 120, 300]) {
    it(`has no line wider than ${String(columns)} columns`, () => {
      const worst: Status = {
        ...COPYING,
        moved: 98_765_432,
        total: 987_654_321,
        looked_at: 987_654_320,
        rows_per_second: 1_234_567,
        seconds_left: 86_399,
        reason: 'replica lag cannot be read: this role lacks pg_monitor (--max-lag was asked for)',
        doing: 'an index is being built: scanning table, 37%',
        run: { ...RUN, id: '00000000-0000-0000-0000-000000000000', host: 'a-machine-with-a-very-long-name.example' },
      };
      // Twenty-three columns is what the longest stage's own line takes.
      const lines = draw(worst, { columns })
        .split('\n')
        .filter((line) => [...line].length > Math.max(23, columns));
      expect(lines).to.deep.equal([]);
    });
  }

  it('withholds what it does not know', () => {
    const early: Status = {
      ...COPYING,
      rows_per_second: null,
      seconds_left: null,
      batch_seconds: null,
      lag_seconds: null,
      looked_at: 0,
    };
    expect(draw(early, { live: LIVE })).to.include('  0%  0 of 2,000,000 keys\n    2 at once\n');
  });

  it('says that several machines are at work', () => {
    expect(draw({ ...COPYING, run: { ...RUN, runs: 3 } })).to.include('2 at once on each of 3 runs');
  });

  it('shows the stage behind the backfill by what it does', () => {
    const harden: Status = {
      ...COPYING,
      stage: 'backfill',
      doing: 'an index is being built: scanning table, 37%',
      stages: [...COPYING.stages, { stage: 'backfill', seconds: 95 }],
    };
    expect(draw(harden, { live: { ...LIVE, stage: 'harden' } })).to.include(
      '  ✔ backfill  1 min 35 s\n  ▶ harden    25 s\n    an index is being built: scanning table, 37%\n  · verify\n',
    );
    expect(
      draw({ ...harden, doing: null, stage: 'harden' }, { live: { ...LIVE, stage: 'verify', looked: 250_000 } }),
    ).to.include('  ▶ verify    25 s\n    █████░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  12%  250,000 of 2,000,000 keys\n');
  });

  it('shows where a run stopped', () => {
    expect(draw(COPYING, { live: { ...LIVE, ended: true } })).to.include('  ■ backfill');
    expect(draw({ ...COPYING, run: null, state: 'idle', reason: 'no run is active; to continue: keylift migrate' }))
      .to.include('keylift, idle:')
      .and.include('  ■ backfill\n')
      .and.include('  no run is active; to continue: keylift migrate\n');
  });

  it('shows a run up to its own last stage', () => {
    expect(draw({ ...COPYING, run: { ...RUN, until: 'backfill' } }))
      .to.include('backfill')
      .and.not.include('harden');
  });

  it('shows the end', () => {
    const stages = (['expand', 'backfill', 'harden', 'verify', 'switch'] as const).map((stage, at) => ({
      stage,
      seconds: at,
    }));
    const done: Status = { ...COPYING, stage: 'switch', state: 'done', stages, switched: 'all', run: null };
    expect(draw(done)).to.equal(`keylift, done: shop on db.example:5432
  ✔ expand    0 s
  ✔ backfill  1 s
  ✔ harden    2 s
  ✔ verify    3 s
  ✔ switch    4 s
  1,100,000 account keys; 12 exceptions; every account is answered from Settings
`);
  });

  it('speaks ASCII where the locale asks for that', () => {
    expect(draw(COPYING, { live: LIVE, unicode: false }))
      .to.match(/^[\x20-\x7e\n]*$/)
      .and.include('[x] expand')
      .and.include('#-');
  });

  it('is the same text in colour', () => {
    const coloured = pictureText(pictureOf(COPYING, { place: PLACE, live: LIVE }), {
      columns: 80,
      colour: true,
      unicode: true,
    });
    expect(coloured).to.include('\u001b[32m✔');
    expect(stripVTControlCharacters(coloured)).to.equal(draw(COPYING, { live: LIVE }));
  });

  it('does not obey what a name tells the terminal', () => {
    expect(draw({ ...COPYING, reason: 'process 1 (\u001b[2J) has to end' }))
      .to.include('(\\u001b[2J)')
      .and.not.include('\u001b');
  });
});

describe('a bar', () => {
  for (const [done, total, drawn] of [
    [0, 10, '░░░░'],
    [1, 32, '▏░░░'],
    [5, 10, '██░░'],
    [9, 10, '███▌'],
    [10, 10, '████'],
    [12, 10, '████'],
    [0, 0, '░░░░'],
  ] as const) {
    it(`of ${String(done)} in ${String(total)}`, () => {
      expect(bar(done, total, { columns: 4, unicode: true })).to.equal(drawn);
    });
  }

  it('is full only when all is done', () => {
    expect(bar(999_999, 1_000_000, { columns: 40, unicode: false })).to.equal(`${'#'.repeat(39)}-`);
  });
});
