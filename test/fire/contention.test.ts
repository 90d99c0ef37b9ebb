import { expect } from 'chai';
import type pg from 'pg';
import { keyliftWaitsFor, Session } from '../live/sessions.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { lastWord } from './verdict.js';

const KEYS = 600;
const HOT = '3';
/** Commands that meet a hot row, and what it is answered from after them. */
const CYCLE = [
  'migrate --yes --until verify --batch-size 100',
  'switch --all --yes',
  'switch --back --yes',
  'migrate --yes',
  'finalize --yes',
  'verify',
  'rollback --yes',
  'migrate --yes --batch-size 100',
];

describe('rows that everybody wants', function () {
  this.timeout(180_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: KEYS });
  });
  afterEach(() => scenario.close());

  // Not both at once: whoever writes one key in both tables without a pause runs into deadlocks of its own making.
  for (const table of ['public.api_keys', 'public.account_api_keys']) {
    it(`one key that four sessions write in ${table} without a pause: every command comes to its end, and so do they`, async () => {
      await scenario.must('migrate --yes --until expand');
      const heat = new Heat();
      const change = [`last_used_at = clock_timestamp()`, `name = 'name ' || random()`];
      const writers = [...change, ...change].map(async (set) =>
        heat.write(await scenario.db.connect(), `update ${table} set ${set} where id = ${HOT}`),
      );
      const written: number[] = [];
      try {
        for (const line of CYCLE) {
          const before = heat.written;
          await scenario.must(line);
          written.push(heat.written - before);
        }
      } finally {
        heat.over = true;
        await Promise.all(writers);
      }
      expect(heat.refused.slice(0, 3)).to.deep.equal([]);
      expect(Math.min(...written), 'writes beside the command that let the fewest through').to.be.greaterThan(0);
      await lastWord(scenario, { 'writes of one row': heat.written, 'told to try again': heat.again });
    });
  }

  it('a session that takes two rows the other way round: keylift is the one to give way, and comes to its end', async () => {
    await scenario.must('migrate --yes --until verify');
    // Its detector never runs, and keylift's does before keylift would give way by itself.
    await scenario.db.query(`alter database ${scenario.db.name} set deadlock_timeout = '250ms'`);
    const deadlocks = async (): Promise<number> =>
      Number(
        (
          await scenario.db.query<{ n: string }>(
            `select pg_stat_get_db_deadlocks(oid) as n from pg_database where datname = current_database()`,
          )
        )[0]!.n,
      );
    let rounds = 0;
    for (; (await deadlocks()) === 0 && rounds < 10; rounds += 1) {
      // Last use of both keys has to be carried to the legacy rows; which of them keylift takes first is its plan's
      // choice.
      await scenario.db.query(`update public.account_api_keys set last_used_at = clock_timestamp() where id in (3, 6)`);
      const [first, second] = rounds % 2 === 0 ? ['6', '3'] : ['3', '6'];
      const writer = await Session.open(scenario.db);
      await writer.run(
        `set deadlock_timeout = '1h'; begin; update public.api_keys set name = name where id = ${first}`,
      );
      const command = scenario.start('verify');
      await keyliftWaitsFor(scenario.db, writer);
      const crossing = writer.start(`update public.api_keys set name = name where id = ${second}`);
      expect(await crossing.end).to.equal('done');
      await writer.run('commit');
      const { exitCode, stderr } = await command.ended;
      expect(exitCode, stderr).to.equal(0);
    }
    expect(await deadlocks(), 'deadlocks that PostgreSQL ended').to.be.greaterThan(0);
    await lastWord(scenario, { 'deadlocks ended': await deadlocks(), rounds });
  });

  it('a database whose transactions are serializable: writers are told to try again, keylift comes to its end', async () => {
    await scenario.db.query(`alter database ${scenario.db.name} set default_transaction_isolation = 'serializable'`);
    const old = await scenario.db.connect();
    // It reads another table: harden locks the legacy table for a moment, and waits for readers of that one.
    await old.query('begin isolation level serializable; select count(*) from public.accounts');
    await scenario.must('migrate --yes --until harden');
    const told = await old.query(`update public.api_keys set name = 'late' where id = ${HOT}`).then(
      () => 'done',
      (error: unknown) => (error as { code: string }).code,
    );
    expect(told, 'a writer whose snapshot is older than the mirror').to.equal('40001');
    await old.query('rollback');
    const heat = new Heat();
    const writers = [
      `update public.api_keys set name = 'name ' || random() where id = ${HOT}`,
      `update public.api_keys set revoked_at = now() where id in (${HOT}, 6)`,
    ].map(async (sql) => heat.write(await scenario.db.connect(), sql));
    try {
      for (const line of CYCLE) await scenario.must(line);
    } finally {
      heat.over = true;
      await Promise.all(writers);
    }
    expect(heat.refused.slice(0, 3)).to.deep.equal([]);
    await lastWord(scenario, { 'writes taken': heat.written, 'told to try again': heat.again + 1 });
  });
});

/** What a platform runs again. */
const AGAIN = new Set(['40001', '40P01', '55P03']);
/** The refusal of a change in Settings until the mirror is on. */
const NOT_YET = 'is being moved into Settings and cannot be changed there yet';

/** Sessions that write one row as fast as the server lets them, until told to stop or cut off. */
class Heat {
  over = false;
  written = 0;
  again = 0;
  readonly refused: unknown[] = [];

  async write(client: pg.Client, sql: string): Promise<void> {
    while (!this.over) {
      try {
        await client.query(sql);
        this.written += 1;
      } catch (error) {
        if (AGAIN.has((error as { code: string }).code) || (error as Error).message.includes(NOT_YET)) {
          this.again += 1;
        } else {
          // Nothing else is met twice: a lost connection answers at once, again and again, and nobody else gets a turn.
          this.refused.push(error);
          return;
        }
      }
    }
  }
}
