import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { withMetricsFile, type MetricsOptions } from '../../src/metrics/file.js';
import { openMetrics } from '../../src/metrics/openmetrics.js';
import { readOpenMetrics } from './grammar.js';

describe('OpenMetrics text', () => {
  it('escapes what labels and help may hold', () => {
    const text = openMetrics([{ name: 'a', type: 'gauge', help: 'a "b" \\ c\nd', samples: [{ value: 1.5 }] }], {
      database: 'q"u\\o\nte',
    });
    expect(text).to.equal('# TYPE a gauge\n# HELP a a \\"b\\" \\\\ c\\nd\na{database="q\\"u\\\\o\\nte"} 1.5\n# EOF\n');
    readOpenMetrics(text);
  });

  it('leaves out what nobody knows, and families without anything', () => {
    const text = openMetrics(
      [
        { name: 'a', type: 'gauge', help: 'x', samples: [{ value: null }] },
        {
          name: 'b',
          type: 'counter',
          help: 'x',
          samples: [
            { labels: { k: 'v' }, value: 0 },
            { labels: { k: 'w' }, value: null },
          ],
        },
      ],
      { database: 'd' },
    );
    expect([...readOpenMetrics(text)].map(([name, { samples }]) => [name, [...samples]])).to.deep.equal([
      ['b', [['database="d",k="v"', 0]]],
    ]);
  });
});

describe('the metrics file, on an injected clock', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'keylift-metrics-'));
    file = path.join(folder, 'keylift.prom');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const DOWN = () => Promise.reject(new Error('no connection'));
  /** A clock that only sleeping moves; each sleep is noted and ends at once, until the work is over. */
  const clockwork = (over: Partial<MetricsOptions> = {}) => {
    const clock = { now: 1_000_000_000_000 };
    const slept: number[] = [];
    const failures: unknown[] = [];
    const options: MetricsOptions = {
      file,
      database: 'shop',
      read: DOWN,
      onFailure: (error) => {
        failures.push(error);
      },
      now: () => clock.now,
      wait: async (ms) => {
        slept.push(ms);
        clock.now += ms;
        await new Promise(setImmediate);
      },
      ...over,
    };
    return { clock, slept, failures, options };
  };
  const value = async (name: string): Promise<number | undefined> =>
    readOpenMetrics(await readFile(file, 'utf8'))
      .get(name)
      ?.samples.get('database="shop"');

  it('is there before the work begins, is renewed every few seconds, and once more at its end', async () => {
    const { slept, clock, options } = clockwork();
    let first: number | undefined;
    await withMetricsFile(options, async () => {
      first = await value('keylift_written_timestamp_seconds');
      while (slept.length < 3) await new Promise(setImmediate);
    });
    expect(first).to.equal(1_000_000_000);
    expect(new Set(slept)).to.deep.equal(new Set([5_000]));
    expect(await value('keylift_written_timestamp_seconds')).to.equal(clock.now / 1000);
  });

  it('leaves a database alone that takes long to answer', async () => {
    const { slept, clock, options } = clockwork();
    await withMetricsFile(
      {
        ...options,
        read: () => {
          clock.now += 2_000;
          return DOWN();
        },
      },
      async () => {
        while (slept.length < 2) await new Promise(setImmediate);
      },
    );
    expect(slept[0]).to.equal(18_000);
  });

  it('is written at the end of work that fails, too, and the failure is what is told', async () => {
    const { clock, options } = clockwork();
    const failure = await withMetricsFile(options, () => {
      clock.now += 60_000;
      return Promise.reject(new Error('the work failed'));
    }).catch((error: unknown) => error as Error);
    expect(failure?.message).to.equal('the work failed');
    expect(await value('keylift_written_timestamp_seconds')).to.equal(clock.now / 1000);
  });

  it('says that the database does not answer', async () => {
    await withMetricsFile(clockwork().options, () => Promise.resolve());
    expect(await value('keylift_up')).to.equal(0);
  });

  it('may be read by a collector of another user, whatever the process masks', async () => {
    const before = process.umask(0o077);
    try {
      await withMetricsFile(clockwork().options, () => Promise.resolve());
    } finally {
      process.umask(before);
    }
    expect((await stat(file)).mode & 0o777).to.equal(0o644);
  });

  it(`is refused before the work begins where it cannot be written;
    later that is told once, and the work goes on`, async () => {
    let begun = false;
    const refused = await withMetricsFile({ ...clockwork().options, file: path.join(folder, 'no/such') }, () => {
      begun = true;
      return Promise.resolve();
    }).catch((error: unknown) => error as { code: string });
    expect([refused?.code, begun]).to.deep.equal(['metrics_unwritable', false]);
    const { slept, failures, options } = clockwork();
    const gone = `${folder}-gone`;
    const answer = await withMetricsFile(options, async () => {
      await rename(folder, gone); // at once: a renewal may be at work in it
      const since = slept.length;
      while (slept.length < since + 3) await new Promise(setImmediate);
      return 'done';
    });
    expect([answer, failures.length]).to.deep.equal(['done', 1]);
    folder = gone;
  });
});
