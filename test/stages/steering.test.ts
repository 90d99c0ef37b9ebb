import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { gateAt, until } from '../support/waiting.js';
import { schemaOf } from '../schemas/answers.js';

describe('pause, resume and tune', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());

  const say = async (line: string): Promise<string[]> => (await scenario.must(line)).stdout.split('\n');

  it('say what they changed, from what to what, and what holds beside it', async () => {
    expect(await say('pause')).to.deep.equal([
      'Paused: the run finishes its batches and starts no new one until keylift resume.',
      '  paused           no → yes',
      "  batches at once  the run's own",
      "  batch time       the run's own",
      "  rows a batch     the run's own",
      "  replica lag      the run's own",
      "  active sessions  the run's own",
      "  throttle query   the run's own",
      "  throttle URL     the run's own",
      "  key lookups      the run's own",
      '  No run is active; the next run starts with this.',
      '',
    ]);
    expect(await say('tune --concurrency 3 --batch-time 250ms --max-lag 2')).to.include.members([
      'Tuned: the run uses the new values from its next batch.',
      '  paused           yes',
      "  batches at once  the run's own → 3",
      "  batch time       the run's own → 0.25 s",
      "  replica lag      the run's own → 2 s at most",
    ]);
    expect(await say('tune --concurrency 1'))
      .to.include('  batches at once  3 → 1')
      .and.include('  batch time       0.25 s');
    expect(await say('resume')).to.include.members(['Resumed: batches continue.', '  paused           yes → no']);
  });

  it('say so when nothing changed', async () => {
    expect(await say('resume'))
      .to.include('Not paused: nothing changed.')
      .and.include('  paused           no');
    await say('pause');
    expect((await say('pause'))[0]).to.equal('Already paused: nothing changed.');
    await say('tune --concurrency 2');
    expect(await say('tune --concurrency 2'))
      .to.include('These values are set already: nothing changed.')
      .and.include('  batches at once  2');
  });

  it('give the choice back to the run', async () => {
    await say('tune --concurrency 2 --max-lag 2');
    expect(await say('tune --concurrency own --max-lag own')).to.include.members([
      "  batches at once  2 → the run's own",
      "  replica lag      2 s at most → the run's own",
    ]);
    // Where no replica is, a limit left behind would hold every further run up.
    await scenario.must('migrate --yes', 6);
  });

  it('are forgotten with the migration that a rollback takes back', async () => {
    await say('tune --concurrency 1 --batch-time 250ms --max-lag 2');
    await say('pause');
    await scenario.must('rollback --yes');
    // Were it paused still, or held to a replica's lag, it would wait here for ever.
    await scenario.must('migrate --yes', 6);
    expect(await say('resume')).to.include.members([
      'Not paused: nothing changed.',
      '  paused           no',
      "  batches at once  the run's own",
      "  batch time       the run's own",
      "  replica lag      the run's own",
    ]);
  });

  it('know what the run at work asked for itself', async () => {
    const gate = await gateAt(scenario.db, 7);
    const migration = scenario.start('migrate --yes --batch-size 3 --concurrency 1 --batch-time 2');
    await until('a batch to be done', async () => (await scenario.batchesDone()) > 0);
    expect(await say('tune --concurrency 4')).to.deep.equal([
      'Tuned: the run uses the new values from its next batch.',
      '  paused           no',
      "  batches at once  1 (the run's own) → 4",
      "  batch time       2 s (the run's own)",
      "  rows a batch     3 at most (the run's own)",
      "  replica lag      no limit (the run's own)",
      "  active sessions  no limit (the run's own)",
      "  throttle query   no limit (the run's own)",
      "  throttle URL     no limit (the run's own)",
      "  key lookups      no limit (the run's own)",
      '',
    ]);
    await gate.remove();
    await migration.ended;
  });

  it('answer under --json with what holds and what changed', async () => {
    const ask = async (line: string): Promise<unknown> => {
      const document = (await scenario.must(`${line} --json`)).json<unknown>();
      const validate = schemaOf('steering');
      expect(validate(document), JSON.stringify(validate.errors)).to.equal(true);
      return document;
    };
    const limits = { max_lag: null, max_active: null, throttle_query: null, throttle_url: null, max_latency: null };
    const own = { concurrency: null, batch_time: null, batch_size: null, ...limits };
    expect(await ask('pause')).to.deep.equal({ paused: true, ...own, changed: { paused: { from: false, to: true } } });
    expect(await ask('pause')).to.deep.equal({ paused: true, ...own, changed: {} });
    expect(await ask('tune --batch-time 1 --max-lag 500ms')).to.deep.equal({
      paused: true,
      ...own,
      batch_time: 1,
      max_lag: 0.5,
      changed: { batch_time: { from: null, to: 1 }, max_lag: { from: null, to: 0.5 } },
    });
    expect(await ask('tune --batch-size 700 --max-active 0 --max-lag none --max-latency 2.5ms')).to.deep.include({
      batch_size: 700,
      max_active: 0,
      max_latency: 0.0025,
      max_lag: 'none',
      changed: {
        batch_size: { from: null, to: 700 },
        max_active: { from: null, to: 0 },
        max_latency: { from: null, to: 0.0025 },
        max_lag: { from: 0.5, to: 'none' },
      },
    });
    expect(await ask('resume')).to.deep.include({ paused: false, changed: { paused: { from: true, to: false } } });
  });
});
