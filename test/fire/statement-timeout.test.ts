import { expect } from 'chai';
import { rolesOf } from '../docs/roles.js';
import { useTestDatabase } from '../support/database.js';
import { Platform } from '../support/platform.js';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { until, waitingSessions } from '../support/waiting.js';
import { lastWord } from './verdict.js';

const KEYS = 2_000;
const SLOW_MS = 100;

/** Statements that write these tables take twice as long as the limit allows, on any machine. */
const SLOWED: readonly (readonly [table: string, event: string])[] = [
  ['public.account_api_keys', 'insert or update or delete'],
  ['public.api_keys', 'delete'],
  ['keylift.batches', 'update or delete'],
  ['keylift.proof_duplicates', 'insert or delete'],
  ['keylift.outcomes', 'insert or delete'],
  ['keylift.switch_rule', 'update'],
  ['keylift.proofs', 'insert'],
];
const SLOW = `
  create function keylift.slow() returns trigger language plpgsql as $$ begin
    if current_setting('application_name') like 'keylift%' then perform pg_sleep(${String(SLOW_MS / 1000)}); end if;
    return null; end $$;
  ${SLOWED.map(
    ([table, event]) => `create trigger aa_slow before ${event} on ${table} for each statement
    execute function keylift.slow();`,
  ).join('\n')}`;

describe("a statement timeout of 50 ms on the operator's role", function () {
  this.timeout(180_000);
  const database = useTestDatabase({ each: true });
  const roles = rolesOf(database);

  it('stops nothing that keylift does, though most of it takes longer', async () => {
    await roles.make('operator');
    const name = decodeURIComponent(new URL(roles.url('operator')).username);
    await database().query(
      `alter role ${name} set statement_timeout = '50ms'; alter role ${name} set lock_timeout = '50ms'`,
    );
    const cut = await roles
      .query('operator', 'select pg_sleep(1)')
      .catch((error: unknown) => (error as { code: string }).code);
    expect(cut, 'the limit holds for others').to.equal('57014');

    const scenario = await Scenario.open({ database: database(), through: () => roles.url('operator') });
    await plantMany(scenario.db, { keys: KEYS });
    await scenario.must('migrate --yes --until expand');
    await scenario.db.query(SLOW);
    await scenario.must('migrate --yes --until backfill --batch-size 500');
    await buildsBesideAWriter(scenario);
    for (const line of [
      'verify',
      'switch --all --yes',
      'switch --back --yes',
      'migrate --yes',
      'finalize --yes',
      'verify',
      'rollback --yes',
    ])
      await scenario.must(line);
    const [{ least }] = (await scenario.db.query<{ least: number }>(
      `select min(seconds) as least from keylift.batches where state = 'taken_back'`,
    )) as [{ least: number }];
    expect(least * 1000, 'ms of the quickest batch').to.be.at.least(SLOW_MS);
    await lastWord(scenario, { 'ms of the quickest batch': Math.round(least * 1000) });
  });

  /** Builds run outside of a transaction; the first waits for a writer of the new table, which commits when it does. */
  const buildsBesideAWriter = async (scenario: Scenario): Promise<void> => {
    const writer = await scenario.db.connect();
    await writer.query(`begin; insert into public.account_api_keys (account_id, name, token) values (1, 'new', 'new')`);
    const migration = scenario.start('migrate --yes --until verify');
    await until('the build to wait', async () => (await waitingSessions(scenario.db)) > 0);
    const [{ since }] = (await scenario.db.query<{ since: string }>('select clock_timestamp()::text as since')) as [
      { since: string },
    ];
    await until(
      'twice the limit to pass',
      async () =>
        (
          await scenario.db.query<{ passed: boolean }>(
            `select clock_timestamp() > $1::timestamptz + interval '100 ms' as passed`,
            [since],
          )
        )[0]!.passed,
    );
    await writer.query('commit');
    const { exitCode, stderr } = await migration.ended;
    expect(exitCode, stderr).to.equal(0);
  };

  it("on the platform's sessions costs it the statements that take longer, and nothing else", async () => {
    const scenario = await Scenario.open({ database: database() });
    await plantMany(scenario.db, { keys: KEYS });
    await scenario.must('migrate --yes --until expand');
    const platform = await Platform.start(scenario.db, {
      keys: KEYS,
      begin: `set statement_timeout = '50ms'`,
      tolerated: ['57014'],
    });
    try {
      for (const line of [
        'migrate --yes --batch-size 200',
        'finalize --yes',
        'rollback --yes',
        'migrate --yes --batch-size 200',
      ])
        await scenario.must(line, 0, 6);
    } finally {
      await platform.stop();
    }
    expect(platform.refused.slice(0, 3)).to.deep.equal([]);
    expect(platform.written).to.be.greaterThan(50);
    await lastWord(scenario, { 'writes taken': platform.written, 'writes cut off': platform.met['57014'] ?? 0 });
  });
});
