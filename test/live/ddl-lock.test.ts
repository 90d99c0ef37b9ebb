import { expect } from 'chai';
import { Scenario } from '../support/scenario.js';
import { MOTLEY } from '../support/motley.js';
import { keyliftWaitsFor, Session } from './sessions.js';
import { assertSound } from './sound.js';

/** src/stages/ddl.ts waits no longer than this for one lock, and a step takes two tables, one after the other. */
const LOCK_TIMEOUT_MS = 500;
const TABLES = 2;
/** A slow machine's share. */
const MARGIN_MS = 600;
/** Attempts that must be seen to fail before the reader ends. */
const WATCHED_MS = 2_000;

interface Worst {
  write: number;
  read: number;
  calls: number;
}

describe('DDL beside a long reader', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  /** Writes and reads as a platform does, and how long the slowest took, until told to end. */
  const platform = async (tables: readonly string[], stop: { over: boolean }): Promise<Worst> => {
    const worst = { write: 0, read: 0, calls: 0 };
    // The server's clock: this process may be busy, too.
    await scenario.db.query(`create function public.timed(statement text) returns double precision language plpgsql
        as $$ declare began timestamptz := clock_timestamp();
      begin execute statement; return extract(epoch from clock_timestamp() - began) * 1000; end $$`);
    const timed = async (kind: 'write' | 'read', sql: string) => {
      const session = await Session.open(scenario.db);
      while (!stop.over) {
        const [row] = await session.run<{ ms: number }>('select public.timed($1) as ms', [sql]);
        worst[kind] = Math.max(worst[kind], row!.ms);
        worst.calls += 1;
        await new Promise((resolve) => setTimeout(resolve, 5)); // the pace of a platform
      }
    };
    await Promise.all(
      tables.flatMap((table) => [
        timed('write', `update ${table} set name = name where id = 4`),
        timed('read', `select from ${table} where id = 1`),
      ]),
    );
    return worst;
  };

  const CASES: {
    what: string;
    before: string[];
    command: string;
    exit: number;
    hold: string;
    tables: string[];
    switched: 'all' | 'none';
  }[] = [
    {
      what: 'expand, beside a session that may write the legacy table',
      before: [],
      command: 'migrate --yes',
      exit: 6,
      hold: 'lock table public.api_keys in row exclusive mode',
      tables: ['public.api_keys'],
      switched: 'all',
    },
    {
      what: 'harden, beside a session that may write the accounts',
      before: ['migrate --yes --until backfill'],
      command: 'migrate --yes',
      exit: 6,
      hold: 'lock table public.accounts in row exclusive mode',
      tables: ['public.accounts'],
      switched: 'all',
    },
    {
      what: 'finalize, beside a session that only reads the new table',
      before: ['migrate --yes'],
      command: 'finalize --yes',
      exit: 0,
      hold: 'select from public.account_api_keys',
      tables: ['public.api_keys', 'public.account_api_keys'],
      switched: 'all',
    },
    {
      what: 'rollback, beside a session that only reads the legacy table',
      before: ['migrate --yes'],
      command: 'rollback --yes',
      exit: 0,
      hold: 'select from public.api_keys',
      tables: ['public.api_keys'],
      switched: 'none',
    },
  ];
  for (const { what, before, command, exit, hold, tables, switched } of CASES) {
    it(`${what}: nobody waits longer than the timeout, and it goes on when the session ends`, async () => {
      for (const line of before) await scenario.must(line, 0, 6);
      const reader = await Session.open(scenario.db);
      await reader.run(`begin; ${hold}`);
      const stop = { over: false };
      const load = platform(tables, stop);
      const running = scenario.start(command);
      let worst: Worst;
      try {
        await keyliftWaitsFor(scenario.db, reader);
        await new Promise((resolve) => setTimeout(resolve, WATCHED_MS)); // measured, not waited for
      } finally {
        stop.over = true;
        worst = await load;
        await reader.run('commit');
      }
      const { exitCode, stderr } = await running.ended;
      expect(exitCode, stderr).to.equal(exit);
      expect(stderr, 'it says what it waits for').to.match(/waiting: another session holds a lock that step \w+ needs/);
      expect(worst.calls).to.be.greaterThan(50);
      expect(worst.write, 'milliseconds of the slowest write').to.be.lessThan(LOCK_TIMEOUT_MS * TABLES + MARGIN_MS);
      expect(worst.read, 'milliseconds of the slowest read').to.be.lessThan(LOCK_TIMEOUT_MS * TABLES + MARGIN_MS);
      if (command.startsWith('migrate')) await assertSound(scenario, switched);
      else if (switched === 'none') await scenario.everyPair('none');
      else await scenario.must('verify');
    });
  }

  it("a gateway's call that reads both tables is never a deadlock's victim", async () => {
    await scenario.must('migrate --yes', 6);
    const [reader, gateway] = [await Session.open(scenario.db), await Session.open(scenario.db)];
    await reader.run('begin; select from public.api_keys');
    await gateway.run('begin; select from public.account_api_keys');
    const finalize = scenario.start('finalize --yes');
    await keyliftWaitsFor(scenario.db, reader);
    // The gateway stands behind the step; then the step has the one table and wants the other, which the gateway reads.
    const call = await gateway.startBlocked('select from public.api_keys');
    await reader.run('commit');
    expect(await call.end).to.equal('done');
    await gateway.run('commit');
    const { exitCode, stderr } = await finalize.ended;
    expect(exitCode, stderr).to.equal(0);
  });
});
