import os from 'node:os';
import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { main } from '../../src/cli.js';
import { KeyliftError } from '../../src/errors/keylift-error.js';
import { statusText } from '../../src/console/status-text.js';
import type { Status } from '../../src/status/status.js';
import { watch } from '../../src/status/watch.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';

const RUN = {
  id: '00000000-0000-0000-0000-000000000000',
  command: 'migrate',
  host: 'a-machine-with-a-long-name.example',
  pid: 4_194_304,
  started_at: '2026-01-02 03:04:05.678901+00',
  until: 'switch',
  runs: 1,
  heartbeat_at: '2026-01-01T10:00:00.000Z',
  heartbeat_seconds: 1,
};
const AT_WORK: Status = {
  stage: 'expand',
  state: 'running',
  moved: 1_234_567,
  total: 98_765_432,
  looked_at: 1_300_000,
  reason: null,
  rows_per_second: 123_456,
  seconds_left: 790,
  batch_seconds: 0.512,
  concurrency: 4,
  lag_seconds: 0.25,
  lookups: null,
  doing: null,
  batches: { done: 26, open: 1_949, failed: 0 },
  stages: [{ stage: 'expand', seconds: 0.42 }],
  switched: 'none',
  exceptions: 12_345,
  mirror: { ok: true, faults: [] },
  run: RUN,
  silent_run: null,
};
const DONE: Status = {
  ...AT_WORK,
  stage: 'switch',
  state: 'done',
  moved: 98_765_432,
  run: null,
  rows_per_second: null,
  seconds_left: null,
  switched: 'all',
};

describe('watching', () => {
  /** Reads these one by one, on a clock that stands still but for what a look takes. */
  function world(statuses: readonly Status[], { lookMs = 0 } = {}) {
    const shown: Status[] = [];
    const pauses: number[] = [];
    const stop = new AbortController();
    let time = 0;
    let at = 0;
    return {
      shown,
      pauses,
      stop,
      go: () =>
        watch({
          read: () => {
            time += lookMs;
            return Promise.resolve(statuses[at++]!);
          },
          show: (status) => {
            shown.push(status);
          },
          stop: stop.signal,
          now: () => time,
          wait: (ms) => {
            pauses.push(ms);
            if (pauses.length === 3) stop.abort();
            return Promise.resolve();
          },
        }),
    };
  }

  it('ends when no run is at work, with the last picture shown', async () => {
    const { go, shown, pauses } = world([AT_WORK, { ...AT_WORK, state: 'paused' }, DONE]);
    await go();
    expect(shown.map(({ state }) => state)).to.deep.equal(['running', 'paused', 'done']);
    expect(pauses).to.deep.equal([1000, 1000]);
  });

  it('shows what is there once where nothing runs', async () => {
    const { go, shown, pauses } = world([DONE]);
    await go();
    expect([shown.length, pauses.length]).to.deep.equal([1, 0]);
  });

  it('looks less often where a look takes long', async () => {
    const { go, pauses } = world([AT_WORK, DONE], { lookMs: 4_000 });
    await go();
    expect(pauses).to.deep.equal([36_000]);
  });

  it('ends with 130 when the operator has seen enough', async () => {
    const { go, shown } = world(Array.from({ length: 9 }, () => AT_WORK));
    const error = await go().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).to.be.instanceOf(KeyliftError).and.include({ code: 'interrupted', exitCode: 130 });
    expect(shown.length).to.equal(3);
  });

  it('fits 80 columns', () => {
    for (const status of [
      AT_WORK,
      DONE,
      { ...AT_WORK, reason: 'replica lag cannot be read: this role lacks pg_monitor (--max-lag was asked for)' },
    ]) {
      expect(
        statusText(status)
          .split('\n')
          .filter((line) => line.length > 80),
      ).to.deep.equal([]);
    }
  });
});

describe('status --watch', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  it('answers once where nothing runs', async () => {
    expect((await scenario.must('status --watch')).stdout).to.equal(
      `idle; stage none; 0 of ${String(MOTLEY.keys.length)} keys; switched: none; there is no migration yet\n`,
    );
  });

  /** A migration that waits inside its backfill until the gate goes, and somebody who watches it. */
  async function watched(env: Record<string, string>, isTTY: boolean) {
    await scenario.must('migrate --yes --until expand');
    const gate = await gateAt(scenario.db, 7);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    const stdout = new PassThrough();
    let said = '';
    stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const listeners: ((signal: NodeJS.Signals) => void)[] = [];
    const ended = main(['status', '--watch'], {
      stdout,
      stderr: new PassThrough(),
      stdin: new PassThrough(),
      cwd: os.tmpdir(),
      env: { DATABASE_URL: scenario.db.url, ...env },
      isTTY: { stdin: isTTY, stdout: isTTY, stderr: isTTY },
      onSignal: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
    });
    await until('a picture', () => said !== '');
    return {
      ended,
      said: () => said,
      interrupt: () => {
        listeners.forEach((listener) => {
          listener('SIGINT');
        });
      },
      finish: async () => {
        await gate.remove();
        expect((await migration.ended).exitCode).to.equal(6);
      },
    };
  }

  it('follows a run to its end, a line for each change', async () => {
    const { ended, said, finish } = await watched({}, false);
    await finish();
    expect(await ended).to.equal(0);
    const lines = said().trimEnd().split('\n');
    expect(lines[0]).to.match(/^(running|waiting); stage expand; /);
    expect(lines.at(-1)).to.match(/^done; stage switch; /);
    expect(
      lines.filter((line, at) => line === lines[at - 1]),
      'no line twice',
    ).to.deep.equal([]);
    expect(said()).not.to.include('\u001b');
  });

  it('repaints on a terminal, and ends with 130 at Ctrl-C', async () => {
    const { ended, said, interrupt, finish } = await watched({ LANG: 'C' }, true);
    await until('a second picture', () => said().includes('\u001b['));
    interrupt();
    expect(await ended).to.equal(130);
    expect(stripVTControlCharacters(said())).to.match(
      /^keylift migrate, (running|waiting): [^]*\[x\] expand +[\d.]+ s\n {2}\[[>=]\] backfill\n +[#-]+ +\d+% {2}\d+ of \d+ keys\n/,
    );
    await finish();
  });

  it('shows the same without colour, with NO_COLOR', async () => {
    const { ended, said, finish } = await watched({ NO_COLOR: '1' }, true);
    await finish();
    expect(await ended).to.equal(0);
    expect(said())
      .to.include('keylift migrate')
      .and.not.match(/\u001b\[[\d;]*m/);
  });

  it('writes plain lines where the terminal is dumb', async () => {
    const { ended, said, finish } = await watched({ TERM: 'dumb' }, true);
    await finish();
    expect(await ended).to.equal(0);
    expect(said())
      .to.match(/^(running|waiting); stage expand; /)
      .and.not.include('\u001b');
  });
});
