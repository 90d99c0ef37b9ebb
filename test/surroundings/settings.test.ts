import { expect } from 'chai';
import { serverMajor } from '../support/database.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { until } from '../support/waiting.js';

const COMMANDS = [
  'check',
  'plan',
  'plan --rehearse',
  'migrate --until backfill --yes',
  'migrate --yes',
  'verify',
  'switch --cohort 50% --back --yes',
  'switch --all --yes',
  'status',
  'finalize --yes',
  'verify',
  'rollback --yes',
];

/** Settings that a database or a role may have, and that keylift works under. */
const SETTINGS: Record<string, { set: readonly string[]; since?: number }> = {
  default_transaction_read_only: { set: ['default_transaction_read_only = on'] },
  'default_transaction_isolation and _deferrable': {
    set: [`default_transaction_isolation = 'serializable'`, 'default_transaction_deferrable = on'],
  },
  'plpgsql.extra_errors and plpgsql.variable_conflict': {
    set: [`plpgsql.extra_errors = 'all'`, `plpgsql.variable_conflict = 'use_variable'`],
  },
  'plpgsql.extra_warnings and row_security': { set: [`plpgsql.extra_warnings = 'all'`, 'row_security = off'] },
  'a search_path of schemas that are not there': { set: [`search_path = nowhere, "$user"`] },
  'how values are written': {
    set: [
      `datestyle = 'SQL, DMY'`,
      `intervalstyle = 'sql_standard'`,
      `timezone = 'Asia/Kathmandu'`,
      `bytea_output = 'escape'`,
      'extra_float_digits = -15',
      'quote_all_identifiers = on',
    ],
  },
  'how statements are read': {
    set: ['standard_conforming_strings = off', 'transform_null_equals = on', 'check_function_bodies = off'],
  },
  transaction_timeout: { set: [`transaction_timeout = '250ms'`], since: 17 },
  'statement_timeout and lock_timeout': { set: [`statement_timeout = '1s'`, `lock_timeout = '1s'`] },
};

describe('a database that sets', () => {
  for (const [what, { set, since }] of Object.entries(SETTINGS)) {
    describe(what, () => {
      let scenario: Scenario;
      before(async function () {
        if (since !== undefined && (await serverMajor()) < since) this.skip();
        scenario = await Scenario.of(MOTLEY);
        for (const setting of set) await scenario.db.query(`alter database ${scenario.db.name} set ${setting}`);
      });
      after(async () => {
        await scenario?.close();
      });

      it('lets every command do its work, and the legacy rows come back', async () => {
        const before = await legacyRows(scenario);
        for (const command of COMMANDS) await scenario.must(command, 0, 6);
        expect(await legacyRows(scenario)).to.deep.equal(before);
      });

      it('lets the platform write to both tables', async () => {
        const platform = async (sql: string): Promise<void> => {
          const client = await scenario.db.connect();
          try {
            await client.query(`begin read write; ${sql}; commit`);
          } finally {
            await client.end();
          }
        };
        await scenario.must('migrate --yes', 6);
        await platform(`update public.api_keys set name = 'renamed' where id = 1`);
        await platform(`update public.account_api_keys set revoked_at = now() where id = 2`);
        await platform(
          `insert into public.api_keys (account_id, api_id, name, token) values (1, 1, 'new', 'new token')`,
        );
        await platform(
          `insert into public.account_api_keys (account_id, name, token) values (1, 'native', 'native token')`,
        );
        await platform(`delete from public.account_api_keys where id = 6`);
        await platform(`update public.api_keys set token = token where id < 40`);
        await scenario.must('verify');
        await scenario.must('rollback --yes');
      });
    });
  }
});

describe('a transaction_timeout of the database', () => {
  let scenario: Scenario;
  before(async function () {
    if ((await serverMajor()) < 17) this.skip();
    scenario = await Scenario.of(MOTLEY);
  });
  after(async () => {
    await scenario?.close();
  });

  it('does not end an index build that waits for an older transaction', async () => {
    await scenario.must('migrate --until backfill --yes', 6);
    // Where another role can write to the new table, a build waits for every older transaction.
    await scenario.db.query('grant insert on public.account_api_keys to pg_monitor');
    const reader = await scenario.db.connect();
    await reader.query('begin isolation level repeatable read; select from public.accounts');
    await scenario.db.query(`alter database ${scenario.db.name} set transaction_timeout = '200ms'`);
    const migrate = scenario.start('migrate --until harden --yes');
    await until('the build to wait for longer than the timeout', async () => {
      const waiting = await scenario.db.query(
        `select from pg_stat_activity where application_name like 'keylift-ddl%' and datname = current_database()
           and wait_event_type = 'Lock' and clock_timestamp() - query_start > interval '500 ms'`,
      );
      return waiting.length === 1;
    });
    await reader.query('commit');
    const { exitCode, stderr } = await migrate.ended;
    expect([exitCode, stderr.includes('connection')], stderr).to.deep.equal([6, false]);
  });
});

/** Every legacy row as text that no setting changes. */
const legacyRows = (scenario: Scenario): Promise<unknown> =>
  scenario.db.query(`
    set datestyle = 'ISO'; set timezone = 'UTC';
    select k::text as row from public.api_keys k union all select a::text from public.apis a
    union all select o::text from public.accounts o order by 1`);
