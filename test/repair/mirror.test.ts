import { expect } from 'chai';
import type { Proof } from '../../src/proof/document.js';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

const KEYS = '"public"."api_keys"';

/** What takes the mirror out of the way, and the fault that names it. */
const FAULTS: Record<string, [sql: string, fault: string]> = {
  'disabled triggers': [
    'alter table public.api_keys disable trigger user',
    `trigger keylift_insert of ${KEYS} is disabled`,
  ],
  'a trigger that fires for replicas alone': [
    'alter table public.api_keys enable replica trigger keylift_delete',
    `trigger keylift_delete of ${KEYS} is disabled`,
  ],
  'a dropped trigger': [
    'drop trigger keylift_update on public.account_api_keys',
    'trigger keylift_update of "public"."account_api_keys" is missing',
  ],
  'a trigger with another function': [
    `create or replace function public.other() returns trigger language plpgsql as 'begin return null; end';
     drop trigger keylift_update on public.api_keys;
     create trigger keylift_update after update on public.api_keys for each statement execute function public.other()`,
    `trigger keylift_update of ${KEYS} does not run keylift.mirror_update`,
  ],
  'a replaced function': [
    `create or replace function keylift.mirror_update() returns trigger language plpgsql as 'begin return null; end'`,
    'function keylift.mirror_update is not the one that keylift installed',
  ],
  'a dropped view': ['drop view keylift.per_api_keys', 'the view keylift.per_api_keys is missing'],
  'a database whose sessions are replicas': [
    `do $$ begin execute format('alter database %I set session_replication_role = replica', current_database()); end $$`,
    'session_replication_role is replica for the database',
  ],
};

describe('the mirror', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
  });
  afterEach(() => scenario.close());

  it('has no fault at any station', async () => {
    for (const line of [
      'migrate --yes --until expand',
      'migrate --yes --until backfill',
      'migrate --yes --until harden',
      'migrate --yes',
      'finalize --yes',
    ]) {
      await scenario.must(line, 0, 6);
      const { mirror } = (await scenario.must('status --json')).json<{ mirror: unknown }>();
      expect(mirror, line).to.deep.equal({ ok: true, faults: [] });
    }
    await scenario.must('rollback --yes');
    expect((await scenario.must('status --json')).json<{ mirror: unknown }>().mirror).to.equal(null);
  });

  it('expects every trigger that keylift has on both tables', async () => {
    for (const line of ['migrate --yes --until expand', 'migrate --yes', 'finalize --yes']) {
      await scenario.must(line, 0, 6);
      const triggers = await scenario.db.query<{ name: string; table: string }>(
        `select tgname as name, tgrelid::regclass::text as table from pg_trigger
         where tgrelid in ('public.api_keys'::regclass, 'public.account_api_keys'::regclass)
           and not tgisinternal and tgname like 'keylift%' and tgname <> 'keylift_draw_key_id'`,
      );
      for (const { name, table } of triggers) {
        await scenario.db.query(`alter table ${table} disable trigger ${name}`);
        const { mirror } = (await scenario.must('status --json')).json<{ mirror: { faults: string[] } }>();
        await scenario.db.query(`alter table ${table} enable trigger ${name}`);
        expect(mirror.faults, `${line}: ${name}`).to.have.length(1);
      }
    }
  });

  for (const [what, [sql, fault]] of Object.entries(FAULTS)) {
    it(`is found off, stops the switch and finalize, and is mended: ${what}`, async () => {
      await scenario.must('migrate --yes --until verify', 6);
      await scenario.db.query(sql);
      const proof = (await scenario.must('verify --json', 4)).json<Proof>();
      expect(proof.mirror.ok).to.equal(false);
      expect(proof.mirror.faults.join('\n')).to.include(fault);
      expect((await scenario.must('status')).stdout.replace(/\s+/g, ' ')).to.include('keylift repair');
      expect((await scenario.must('switch --all --yes', 3)).stderr).to.include('(code mirror_off)');
      await scenario.must('switch --back --yes');
      if (what === 'a database whose sessions are replicas')
        await scenario.db.query(
          `do $$ begin execute format('alter database %I reset session_replication_role', current_database()); end $$`,
        );
      await scenario.must('repair --yes');
      await scenario.must('switch --all --yes');
      await scenario.db.query(sql);
      expect((await scenario.must('finalize --yes', 3)).stderr).to.include('(code mirror_off)');
    });
  }

  it('needs a new proof where a command found it off, also when it is on again', async () => {
    await scenario.must('migrate --yes --until verify', 6);
    await scenario.db.query('alter table public.api_keys disable trigger user');
    await scenario.must('switch --all --yes', 3);
    await scenario.db.query('alter table public.api_keys enable trigger user');
    expect((await scenario.must('switch --cohort 5% --yes', 3)).stderr).to.include('(code proof_needed)');
    await scenario.must('verify');
    await scenario.must('switch --cohort 5% --yes');
  });

  it('needs a proof that passed: a failed one stops the switch, not the way back', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `set session_replication_role = replica; update public.api_keys set revoked_at = now() where id = 1;
       reset session_replication_role`,
    );
    await scenario.must('verify', 4);
    expect((await scenario.must('switch --all --yes', 3)).stderr).to.include('(code proof_needed)');
    await scenario.must('switch --back --yes');
    await scenario.must('repair --yes');
    await scenario.must('switch --all --yes');
  });

  it('is put on a table that took the place of the legacy table', async () => {
    await scenario.must('migrate --yes', 6);
    await scenario.db.query(
      `create table public.copied (like public.api_keys including all);
       insert into public.copied overriding system value select * from public.api_keys;
       alter table public.api_keys rename to swapped_out;
       alter table public.copied rename to api_keys;
       update public.api_keys set revoked_at = now() where id = 1`,
    );
    const { mirror } = (await scenario.must('verify --json', 4)).json<Proof>();
    expect(mirror.faults).to.include(`the view keylift.per_api_keys does not read ${KEYS}`);
    await scenario.must('migrate --yes', 4);
    await scenario.must('repair --yes');
    await scenario.everyPair('all');
    await scenario.everyView('all');
    await scenario.db.query('update public.api_keys set revoked_at = null where id = 1');
    await scenario.must('verify');
  });
});
