import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { openDatabase } from '../../src/database/connect.js';
import { MOTLEY } from '../support/motley.js';
import { Proxy } from '../support/proxy.js';
import { Scenario, type Ended } from '../support/scenario.js';
import { until } from '../support/waiting.js';

const CASES = path.join(import.meta.dirname, '../../fixtures');

/** Commands that take no lease, and a statement of each that the network swallows. */
const COMMANDS = [
  ['plan', /FROM "public"\."api_keys"/],
  ['status', /keylift\.runs/],
  ['verify', /keylift\.proof_duplicates/],
  ['explain 1', /FROM "public"\."api_keys"/],
  [`report ${path.join(os.tmpdir(), 'keylift-silence.html')}`, /keylift\.batches/],
  ['pause', /keylift\.control/],
  ['check', /pg_catalog|information_schema/],
  [`snapshot check ${CASES}`, /CREATE DATABASE/i],
] as const;

describe('a network that swallows everything', function () {
  this.timeout(180_000);
  let scenario: Scenario;
  const ended = new Map<string, Promise<Ended>>();

  before(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes --until verify', 6);
    // Each takes half a minute to be sure; together they take no longer.
    for (const [line, statement] of COMMANDS) ended.set(line, swallowed(line, statement));
  });
  after(() => scenario.close());

  async function swallowed(line: string, statement: RegExp): Promise<Ended> {
    const proxy = await Proxy.before(scenario.db.url);
    try {
      const sent = proxy.stallDuring(statement);
      const { ended: end } = scenario.start(line, { url: proxy.url(scenario.db.url) });
      await Promise.race([
        sent,
        end.then(({ stdout, stderr }) => {
          throw new Error(`it ended before the statement:\n${stdout}${stderr}`);
        }),
      ]);
      return await end;
    } finally {
      await proxy.close();
    }
  }

  for (const [line] of COMMANDS) {
    it(`ends ${line.split(' /')[0]!} with 5 and says so`, async () => {
      const { exitCode, stdout, stderr } = await ended.get(line)!;
      expect([exitCode, stdout], stderr).to.deep.equal([5, '']);
      expect(stderr)
        .to.match(/given no answer for 30 s/)
        .and.include('run the same command again')
        .and.not.match(/\n +at /);
    });
  }

  it('does not keep locks: the server ends a transaction of ours that has been idle for a minute', async () => {
    const proxy = await Proxy.before(scenario.db.url);
    const database = await openDatabase(proxy.url(scenario.db.url));
    const locked = () =>
      scenario.db.query(
        `select from pg_locks where relation = 'public.api_keys'::regclass and mode = 'ShareRowExclusiveLock'`,
      );
    try {
      const outcome = database
        .transaction(
          async (session) => {
            await session.query('LOCK TABLE public.api_keys IN SHARE ROW EXCLUSIVE MODE');
            proxy.stall();
            expect(await locked()).to.have.length(1);
            await until('the lock to be free', async () => (await locked()).length === 0, 90);
            proxy.heal();
            return session.query('SELECT 1');
          },
          { name: 'test' },
        )
        .then(
          () => 'done',
          (error: unknown) => error,
        );
      expect(await outcome).to.include({ code: 'connection_lost', exitCode: 5 });
    } finally {
      await proxy.close();
      await database.close();
    }
  });
});
