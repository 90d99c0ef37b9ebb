import { expect } from 'chai';
import type pg from 'pg';
import { Scenario } from '../support/scenario.js';
import { plantMany } from '../support/seed.js';
import { assertInvariants } from '../support/invariants.js';

const KEYS = 2_000;

/** What a platform may be told while somebody else writes the same rows, or while a table is not there yet or any more. */
const TOLERATED = new Set(['40P01', '40001', '23505', '55000', '42P01']);

/** What the old release does in the legacy table, and the new one in Settings; `$1` is a random key, `$2` a random text. */
const WRITES = [
  `insert into public.api_keys (account_id, api_id, name, token, created_at) values (1 + $1::bigint % 20, 1 + $1::bigint % 3, $2::text, 'live ' || $2::text, now())`,
  `insert into public.api_keys (account_id, api_id, name, token, created_at) select account_id, 1 + $1::bigint % 3, $2::text, token, now() from public.api_keys where id = $1::bigint`,
  `update public.api_keys set name = $2::text where id = $1::bigint`,
  `update public.api_keys set revoked_at = now() where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set revoked_at = null where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set api_id = 1 + (api_id % 4) where id = $1::bigint and $2::text is not null`,
  `update public.api_keys set token = 'turned ' || $2::text where id = $1::bigint`,
  `update public.api_keys set last_used_at = now() where id = $1::bigint and $2::text is not null`,
  `delete from public.api_keys where id = $1::bigint and $2::text is not null`,
  `update public.account_api_keys set name = $2::text where id = $1::bigint`,
  `update public.account_api_keys set revoked_at = now() where id = $1::bigint and $2::text is not null`,
  `update public.account_api_keys set last_used_at = now() where id = $1::bigint and $2::text is not null`,
  `insert into public.account_api_keys (account_id, name, token) values (1 + $1::bigint % 20, $2::text, 'born ' || $2::text)`,
  `delete from public.account_api_keys where id = $1::bigint and $2::text is not null`,
];

/** Two sessions of the platform at work until told to stop. */
class Platform {
  written = 0;
  readonly refused: unknown[] = [];
  private over = false;
  private constructor(private readonly sessions: Promise<void>[] = []) {}

  static async start(scenario: Scenario): Promise<Platform> {
    const platform = new Platform();
    for (const client of [await scenario.db.connect(), await scenario.db.connect()]) platform.sessions.push(platform.write(client));
    return platform;
  }

  async stop(): Promise<void> {
    this.over = true;
    await Promise.all(this.sessions);
  }

  private async write(client: pg.Client): Promise<void> {
    while (!this.over) {
      const statement = WRITES[Math.floor(Math.random() * WRITES.length)]!;
      try {
        await client.query(statement, [String(1 + Math.floor(Math.random() * KEYS)), Math.random().toString(36).slice(2)]);
        this.written += 1;
      } catch (error) {
        if (!TOLERATED.has((error as { code: string }).code)) this.refused.push(error);
      }
      await new Promise((resolve) => setTimeout(resolve, 4)); // the pace of a platform, not a wait for anything
    }
  }
}

/** Comes to the end of a stage, or half way through the last. */
const STAGES: Record<string, (scenario: Scenario) => Promise<void>> = {
  ...Object.fromEntries(['expand', 'backfill', 'harden', 'verify', 'switch'].map((stage) =>
    [stage, async (s: Scenario) => { await s.must(`migrate --yes --until ${stage} --batch-size 200`, 0, 6); }])),
  'half a finalize': async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await brokenOff(s);
  },
  'half a finalize, gone on with': async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await brokenOff(s);
    await s.must('verify');
    await s.must('finalize --yes');
  },
  'finalize': async (s) => {
    await s.must('migrate --yes --batch-size 200', 0, 6);
    await s.must('finalize --yes');
  },
};

/** A finalize that the server ends when the rows are in the archive and the mirror is still on. */
async function brokenOff(scenario: Scenario): Promise<void> {
  await scenario.db.query(`create function public.test_fail() returns trigger language plpgsql as $$ begin raise exception 'the server fails here'; end $$;
    create trigger zz_fail before insert on keylift.knex_migrations for each row when (new.name = '12_mirror_off') execute function public.test_fail()`);
  await scenario.must('finalize --yes', 1);
  await scenario.db.query('drop function public.test_fail() cascade');
  expect((await scenario.db.query('select count(*)::int as n from keylift.archived_keys'))[0]!.n).to.be.greaterThan(KEYS / 2);
}

describe('every stage, with the platform writing to both tables', () => {
  for (const [stage, come] of Object.entries(STAGES)) {
    it(`${stage}: plan, run, verify, roll back, run again`, async () => {
      const scenario = await Scenario.open();
      try {
        await plantMany(scenario.db, { keys: KEYS });
        const platform = await Platform.start(scenario);
        try {
          await scenario.must('plan', 0, 6);
          await come(scenario);
          if (stage !== 'expand') await scenario.must('verify', 0);
          await scenario.must('rollback --yes', 0);
          await scenario.must('migrate --yes --batch-size 200', 0, 6);
          await scenario.must('verify', 0);
        } finally {
          await platform.stop();
        }
        expect(platform.refused.slice(0, 3), 'writes the platform lost').to.deep.equal([]);
        expect(platform.written).to.be.greaterThan(50);
        await scenario.must('verify', 0);
        await assertInvariants(scenario.db);
        await scenario.everyPair('all');
        await scenario.must('rollback --yes', 0);
        await scenario.everyPair('none');
      } finally {
        await scenario.close();
      }
    }).timeout(60_000);
  }
});
