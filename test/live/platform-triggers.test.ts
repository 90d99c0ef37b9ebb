import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';
import { tokenOf } from '../support/seed.js';
import { assertSound } from './sound.js';

const AUDIT = `
  create schema audit;
  create table audit.log (op text, key_id bigint, path text);
  create function public.audit_keys() returns trigger language plpgsql as $$
    begin insert into log values (tg_op, coalesce(new.id, old.id), current_setting('search_path')); return null; end $$`;

const trigger = (table: string): string =>
  `create trigger audit after insert or update or delete on ${table} for each row execute function public.audit_keys()`;

/** Triggers of the platform on both tables, which expect what a session of the platform has. */
describe('triggers of the platform behind the mirror', () => {
  let scenario: Scenario;
  afterEach(() => scenario.close());

  const logged = (): Promise<unknown[]> => scenario.db.query('select distinct op from audit.log order by op');

  describe('that name their tables without a schema', () => {
    beforeEach(async () => {
      scenario = await Scenario.of(MOTLEY);
      await scenario.db.query(`${AUDIT}; ${trigger('public.api_keys')}`);
      // As `alter database … set` would, for every session but those of this test that came before.
      await scenario.db.query(`alter database ${scenario.db.name} set search_path = public, audit`);
      await scenario.must('migrate --yes', 6);
      await scenario.db.query(trigger('public.account_api_keys'));
    });

    it('run on the path that the database gives, in every command', async () => {
      const writer = await scenario.db.connect();
      await writer.query(`update public.account_api_keys set name = 'new' where id = 1`);
      await writer.query(`update public.api_keys set revoked_at = '2024-01-01' where id = 1`);
      await writer.query(
        `insert into public.api_keys (account_id, api_id, token) values (1, 1, '${tokenOf('another')}')`,
      );
      await writer.query(`update public.account_api_keys set last_used_at = now()`);
      await writer.query(`delete from public.account_api_keys where id = 4`);
      await writer.end();
      await scenario.must('verify');
      await assertSound(scenario, 'all');
      await scenario.must('rollback --yes');
      await scenario.must('migrate --yes', 6);
      expect(await logged()).to.deep.equal([{ op: 'DELETE' }, { op: 'INSERT' }, { op: 'UPDATE' }]);
    });

    it('run on the path that a session has set', async () => {
      await scenario.db.query(`
        create schema tenant; create table tenant.log (like audit.log); truncate audit.log;
        set search_path = tenant, public;
        update public.account_api_keys set name = 'new' where id = 1;
        update public.api_keys set name = 'newer' where id = 1`);
      const [{ here, there }] = (await scenario.db.query(
        'select (select count(*)::int from tenant.log) as here, (select count(*)::int from audit.log) as there',
      )) as [{ here: number; there: number }];
      expect(here, 'both tables, both ways').to.be.greaterThan(3);
      expect(there).to.equal(0);
      expect(await scenario.db.query(`select from tenant.log where path not like 'tenant, public%'`)).to.deep.equal([]);
    });

    it('do not run on a schema in which the session may create, nor on its temporary objects', async () => {
      const role = `${scenario.db.name}_tenant`;
      await scenario.db.query(`
        create role ${role}; grant usage on schema audit to ${role}; grant select, insert on audit.log to ${role};
        grant select, update on public.api_keys, public.account_api_keys to ${role};
        create schema evil authorization ${role}`);
      try {
        await scenario.db.query(`
          begin; set local session authorization ${role};
          create table evil.log (op text, key_id bigint, path text);
          create function evil.spy(pg_catalog.text) returns boolean language plpgsql as
            'begin insert into evil.log values (''spy'', 0, current_user || '' pg_temp''); return true; end';
          create domain evil.text as pg_catalog.text check (evil.spy(value)); create domain evil.int8 as pg_catalog.int8;
          create temporary table log (op text, key_id bigint, path text);
          create function evil.current_setting(text) returns text language sql as 'select ''evil''';
          create function evil.set_config(text, text, boolean) returns text language sql as 'select ''evil''';
          set local search_path = evil, pg_catalog, public, audit;
          update public.api_keys set name = 'old' where id = 1;
          update public.account_api_keys set name = 'new' where id = 1;
          select 1 / (count(*) = 0)::int from evil.log where path like '%pg_temp';
          commit`);
        const owned = await scenario.db.query(
          `select path from audit.log where path like '%pg_temp' and path not like '%evil%'`,
        );
        expect(owned, 'the write of the mirror').to.have.length.greaterThan(0);
        expect(await scenario.db.query(`select name from public.api_keys where id = 1`)).to.deep.equal([
          { name: 'new' },
        ]);
      } finally {
        await scenario.db.query(`drop schema if exists evil cascade; drop owned by ${role} cascade; drop role ${role}`);
      }
    });
  });

  it('an event trigger runs on the path that the database gives', async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.db.query(`
      create schema audit; create table audit.ddl (tag text);
      create function public.log_ddl() returns event_trigger language plpgsql as $$ begin insert into ddl values (tg_tag); end $$;
      alter database ${scenario.db.name} set search_path = public, audit;
      create event trigger log_ddl on ddl_command_end execute function public.log_ddl()`);
    await scenario.must('migrate --yes', 6);
    await scenario.must('rollback --yes');
    expect(await scenario.db.query(`select from audit.ddl where tag = 'CREATE TABLE'`)).to.have.length.greaterThan(0);
  });

  it('for single columns run where that column changed in Settings, and nowhere else', async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.db.query(`
      create table public.seen (what text);
      create function public.see() returns trigger language plpgsql as $$ begin insert into public.seen values (tg_argv[0]); return null; end $$;
      create trigger life after update of revoked_at, expires_at on public.api_keys for each row execute function public.see('life');
      create trigger name after update of name on public.api_keys for each row execute function public.see('name')`);
    await scenario.must('migrate --yes', 6);
    const seen = async (sql: string): Promise<unknown[]> => {
      await scenario.db.query(`truncate public.seen; ${sql}`);
      return (await scenario.db.query<{ what: string }>('select distinct what from public.seen order by 1')).map(
        ({ what }) => what,
      );
    };
    expect(await seen(`update public.account_api_keys set name = 'new' where id = 1`)).to.deep.equal(['name']);
    expect(await seen(`update public.account_api_keys set last_used_at = now() where id = 1`)).to.deep.equal([]);
    expect(await seen(`update public.account_api_keys set revoked_at = '2024-01-01' where id = 1`)).to.deep.equal([
      'life',
    ]);
    expect(
      await seen(`update public.account_api_keys set name = 'newer', expires_at = '2024-01-01' where id = 1`),
    ).to.deep.equal(['life', 'name']);
    await assertSound(scenario, 'all');
  });

  for (const [what, body] of Object.entries({
    'keeps the row as it was': 'return null;',
    'gives it another value': `new.name := 'other'; return new;`,
  })) {
    it(`a BEFORE trigger that ${what} has the change in Settings refused`, async () => {
      scenario = await Scenario.of(MOTLEY);
      await scenario.must('migrate --yes', 6);
      await scenario.db.query(`
        create function public.meddle() returns trigger language plpgsql as $$ begin ${body} end $$;
        create trigger meddle before update on public.api_keys for each row execute function public.meddle()`);
      const refused = await scenario.db.query(`update public.account_api_keys set name = 'new' where id = 1`).then(
        () => 'taken',
        (error: unknown) => (error as Error).message,
      );
      expect(refused).to.match(/a trigger of .*api_keys.* made something else of this change for key 1/);
      await assertSound(scenario, 'all');
    });
  }
});
