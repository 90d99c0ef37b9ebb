import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { Status } from '../../src/status/status.js';
import { plantMany } from '../support/seed.js';
import { Scenario } from '../support/scenario.js';
import { until } from '../support/waiting.js';

const MIGRATE = ['migrate', '--yes', '--until', 'backfill', '--batch-size', '100'];

describe("the operator's own signals", () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 2_000 });
    await scenario.must('migrate --yes --until expand');
  });
  afterEach(() => scenario.close());

  const status = async (): Promise<Status> => (await scenario.must('status --json')).json<Status>();
  const waitsFor = (reason: RegExp): Promise<void> =>
    until(String(reason), async () => reason.test((await status()).reason ?? ''));
  const must = async (...line: string[]): Promise<void> => {
    const { exitCode, stderr } = await scenario.run(line);
    expect(exitCode, stderr).to.equal(0);
  };

  it('hold a run while the query answers above 0, and while it fails', async () => {
    await scenario.db.query('create table public.load as select 3 as n');
    const migration = scenario.start([
      ...MIGRATE,
      '--throttle-query',
      'select n -- as of now\nfrom load -- the view of the load\n;',
    ]);
    await waitsFor(/^the query of --throttle-query answered 3; the run continues at 0 or below$/);
    expect((await status()).state).to.equal('waiting');
    expect(await scenario.batchesDone()).to.equal(0);
    await scenario.db.query('drop table public.load');
    await waitsFor(
      /^the query .* failed: .*relation "load" does not exist \(SQLSTATE 42P01\); to continue without it: /,
    );
    await scenario.db.query('create table public.load as select -0.5 as n');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stderr).to.include('waiting: the query of --throttle-query answered 3').and.include('continues');
    const waits = await scenario.db.query(
      `select from keylift.events where kind = 'waiting' and facts->>'kind' = 'query'`,
    );
    expect(waits.length).to.equal(1);
  });

  it('hold a run while the query is late, and end with a Ctrl-C', async () => {
    const holder = await scenario.db.connect();
    await holder.query('create table public.load as select 0 as n');
    await holder.query('begin; lock table public.load');
    const migration = scenario.start([...MIGRATE, '--throttle-query', 'select n from load']);
    await waitsFor(/^the query of --throttle-query did not answer within 1 s; to continue without it: /);
    migration.signal();
    expect((await migration.ended).exitCode).to.equal(130);
    await holder.query('rollback');
    await must(...MIGRATE, '--throttle-query', 'select n from load');
  });

  for (const [query, says] of [
    ['select nothing_here', 'failed: .*column "nothing_here" does not exist \\(SQLSTATE 42703\\)'],
    ['select token::int from public.api_keys', 'failed: [^(]*does not have the form [^(]*\\(SQLSTATE 22P02\\)'],
    [`select 'much'`, 'did not answer with a number'],
    ['select null::int', 'did not answer with a number'],
    ['select true', 'did not answer with a number'],
    ['select 1 where false', 'did not answer with one value in one row'],
    ['select 1, 2', 'did not answer with one value in one row'],
    ['select generate_series(1, 1000000000)', 'did not answer with one value in one row'],
    [`select setval('keylift_test', 1)`, 'tries to write'],
    ['select pg_sleep(0); select 0', 'failed: .*SQLSTATE 42601.*'],
    ['select 0) t; delete from public.api_keys; select * from (select 0', 'failed: .*SQLSTATE 42601.*'],
    ['delete from public.api_keys returning 0', 'failed: .*SQLSTATE 42601.*'],
    ['with gone as (delete from public.api_keys returning 1) select 0', 'failed: .*SQLSTATE 0A000.*'],
    [`copy (select 0) to program 'true'`, 'failed: .*SQLSTATE 42601.*'],
    ['set transaction read write', 'failed: .*SQLSTATE 42601.*'],
    ['do $$ begin delete from public.api_keys; end $$', 'failed: .*SQLSTATE 42601.*'],
    ['select count(*) from public.delete_all()', 'tries to write'],
  ] as const) {
    it(`refuse the query ${query} at the start and in tune`, async () => {
      await scenario.db.query(`create sequence public.keylift_test;
        create function public.delete_all() returns setof int language sql as 'delete from public.api_keys returning 1'`);
      for (const line of [
        [...MIGRATE, '--throttle-query', query],
        ['tune', '--throttle-query', query],
      ]) {
        const { exitCode, stderr } = await scenario.run(line);
        expect(exitCode, stderr).to.equal(2);
        expect(stderr).to.match(new RegExp(`^keylift: the query of --throttle-query ${says}\\n`));
      }
      expect(await scenario.db.query('select from public.api_keys')).to.have.length(2_000);
      expect((await scenario.db.query(`select from keylift.control where throttle_query is not null`)).length).to.equal(
        0,
      );
    });
  }

  it('ask the query in a session that ends with it, under the path of the role', async () => {
    await scenario.db.query(`create table public.asked (n int);
      create function public.one_more() returns int language sql as $$
        select pg_advisory_lock(77); select 0 $$`);
    await must(...MIGRATE, '--throttle-query', 'select one_more()');
    const locks = await scenario.db.query(`select from pg_locks where locktype = 'advisory' and objid = 77`);
    expect(locks.length).to.equal(0);
  });

  it('are lifted by tune, and given back to the command line', async () => {
    const migration = scenario.start([...MIGRATE, '--throttle-query', 'select 1', '--max-active', '1000']);
    await waitsFor(/answered 1;/);
    const { stdout } = await scenario.must('tune --throttle-query none');
    expect(stdout).to.include("  throttle query   select 1 (the run's own) → no limit\n");
    expect((await migration.ended).exitCode).to.equal(0);
    const own = await scenario.must('tune --throttle-query own --json');
    expect(own.json()).to.deep.include({
      throttle_query: null,
      changed: { throttle_query: { from: 'none', to: null } },
    });
  });

  it('set by tune hold a run that set none', async () => {
    await scenario.must('pause');
    const migration = scenario.start(MIGRATE);
    await waitsFor(/^paused/);
    await must('tune', '--throttle-query', 'select 2');
    await scenario.must('resume');
    await waitsFor(/^the query of --throttle-query answered 2;/);
    await must('tune', '--throttle-query', 'select 0');
    expect((await migration.ended).exitCode).to.equal(0);
  });

  describe('of a URL', () => {
    const SECRET = 'hush-hush-4711';
    let server: http.Server;
    let url: string;
    /** 0: no answer. */
    let answer: number;
    let asked: http.IncomingMessage[];
    beforeEach(async () => {
      [answer, asked] = [200, []];
      server = http.createServer((request, response) => {
        asked.push(request);
        if (answer !== 0) response.writeHead(answer, { location: '/elsewhere' }).end();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      url = `http://operator:${SECRET}@127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    });
    afterEach(() => {
      server.closeAllConnections();
      server.close();
    });

    it('hold a run while it answers with another status than 200, or not at all; no secret is shown', async () => {
      answer = 503;
      const migration = scenario.start([...MIGRATE, '--throttle-url', `${url}/hooks/${SECRET}?key=${SECRET}`]);
      await waitsFor(/^the URL of --throttle-url \(http:\/\/127\.0\.0\.1:\d+\/\*\*\*\) answered 503; .* at 200$/);
      expect(asked[0]!.url).to.equal(`/hooks/${SECRET}?key=${SECRET}`);
      expect(asked[0]!.headers.authorization).to.match(/^Basic /);
      answer = 302;
      await waitsFor(/answered 302/);
      answer = 0;
      await waitsFor(/did not answer within 1 s; to continue without it: keylift tune --throttle-url none$/);
      answer = 200;
      const { exitCode, stderr } = await migration.ended;
      expect(exitCode, stderr).to.equal(0);
      expect(stderr).to.not.include(SECRET);
      expect(JSON.stringify(await scenario.db.query('select * from keylift.runs, keylift.events'))).to.not.include(
        SECRET,
      );
    });

    it('hold a run while no server listens, until tune lifts them', async () => {
      server.close();
      const migration = scenario.start([...MIGRATE, '--throttle-url', `${url}/${SECRET}`]);
      await waitsFor(/^the URL of --throttle-url \(.*\) cannot be reached \(ECONNREFUSED\); /);
      await scenario.must('tune --throttle-url none');
      expect((await migration.ended).exitCode).to.equal(0);
    });

    it('are tuned while running, and show the host alone', async () => {
      answer = 429;
      await scenario.must('pause');
      const migration = scenario.start(MIGRATE);
      await waitsFor(/^paused/);
      const tuned = await scenario.run(['tune', '--json', '--throttle-url', `${url}/${SECRET}`]);
      expect(tuned.json<{ throttle_url: string }>().throttle_url).to.match(/^http:\/\/127\.0\.0\.1:\d+\/\*\*\*$/);
      const resumed = await scenario.must('resume');
      expect(tuned.stdout + tuned.stderr + resumed.stdout).to.not.include(SECRET);
      await waitsFor(/answered 429/);
      answer = 200;
      expect((await migration.ended).exitCode).to.equal(0);
      expect(JSON.stringify(await scenario.db.query('select * from keylift.events'))).to.not.include(SECRET);
    });

    it('are refused, without the text, where they are no URL of the web', async () => {
      for (const wrong of [`ftp://${SECRET}`, SECRET, `http://[${SECRET}`, `https//example.org/${SECRET}`])
        for (const command of [MIGRATE, ['tune']]) {
          const { exitCode, stderr } = await scenario.run([...command, '--throttle-url', wrong]);
          expect([exitCode, stderr.split('\n')[0]]).to.deep.equal([
            2,
            'keylift: --throttle-url: must be a URL that starts with http:// or https://',
          ]);
          expect(stderr).to.not.include(SECRET);
        }
    });
  });

  it('refuse --max-lag where no replica is connected; tune warns', async () => {
    const { exitCode, stderr } = await scenario.run([...MIGRATE, '--max-lag', '2']);
    expect([exitCode, stderr.split('\n')[0]]).to.deep.equal([
      3,
      'keylift: no replica is connected, so --max-lag has no lag to read',
    ]);
    expect(stderr).to.include('Leave out --max-lag');
    expect((await scenario.must('tune --max-lag 2')).stderr).to.include('no replica is connected, so a run waits');
  });
});
