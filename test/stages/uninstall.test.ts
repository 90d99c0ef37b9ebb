import { expect } from 'chai';
import type { ErrorDocument } from '../../src/commands/print-error.js';
import { plantMany } from '../support/seed.js';
import { Scenario } from '../support/scenario.js';

/** Everything that the catalog says of the database's own objects, one line each. */
const CATALOG = `
  with mine as (select oid, nspname from pg_namespace where nspname !~ '^(pg_|information_schema)')
  select 'schema ' || nspname || coalesce(n.nspacl::text, '') as line from mine join pg_namespace n using (oid, nspname)
  union all select format('class %s %s %s %s %s', c.oid::regclass, c.relkind, c.relacl, c.reloptions, c.relreplident)
    from pg_class c join mine m on m.oid = c.relnamespace
  union all select format('column %s %s %s %s %s %s', a.attrelid::regclass, a.attname, a.atttypid::regtype, a.attnotnull,
      a.attacl, pg_get_expr(d.adbin, d.adrelid))
    from pg_attribute a join pg_class c on c.oid = a.attrelid join mine m on m.oid = c.relnamespace
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum where a.attnum > 0
  union all select format('trigger %s %s %s', tgrelid::regclass, tgenabled, pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal
  union all select format('function %s %s', p.oid::regprocedure, md5(pg_get_functiondef(p.oid)))
    from pg_proc p join mine m on m.oid = p.pronamespace where p.prokind = 'f'
  union all select format('constraint %s %s', c.conrelid::regclass, pg_get_constraintdef(c.oid)) from pg_constraint c join mine m on m.oid = c.connamespace
  union all select format('type %s', t.oid::regtype) from pg_type t join mine m on m.oid = t.typnamespace
  order by 1`;

describe('uninstall', () => {
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open();
    await plantMany(scenario.db, { keys: 500 });
  });
  afterEach(() => scenario.close());
  const catalog = async (): Promise<string[]> =>
    (await scenario.db.query<{ line: string }>(CATALOG)).map(({ line }) => line);
  const refused = async (): Promise<ErrorDocument['error'] & { facts: Record<string, unknown> }> =>
    (await scenario.must('uninstall --yes --json', 3)).json<{
      error: ErrorDocument['error'] & { facts: Record<string, unknown> };
    }>().error;
  const schemas = async (): Promise<unknown[]> =>
    scenario.db.query(`select from pg_namespace where nspname = 'keylift'`);

  it('after a rollback leaves the catalog as it was before expand; migrate starts afresh', async () => {
    const [before, digest] = [await catalog(), await scenario.legacyDigest()];
    for (const until of ['expand', 'backfill', 'harden', 'switch']) {
      await scenario.must(`migrate --yes --until ${until}`);
      await scenario.must('rollback --yes');
      expect((await scenario.must('uninstall --yes --json')).json(), until).to.deep.equal({
        uninstalled: true,
        account_keys: 'removed',
        kept_keys: 0,
      });
      expect(await catalog(), until).to.deep.equal(before);
      expect(await scenario.legacyDigest()).to.equal(digest);
    }
    expect((await scenario.must('uninstall --yes')).stdout).to.equal(
      'Nothing to uninstall: the database has no schema keylift.\n',
    );
    await scenario.must('migrate --yes');
    expect(await scenario.db.query('select attempt from keylift.migration')).to.deep.equal([{ attempt: 1 }]);
    await scenario.everyPair('all');
  });

  it('refuses without a confirmation, and while a migration is active, with the number of switched accounts', async () => {
    await scenario.must('migrate --yes');
    const { code, facts, message } = await refused();
    expect([code, message]).to.deep.equal([
      'uninstall_refused',
      'a migration is active, and its accounts and keys need what uninstall removes; nothing was changed',
    ]);
    expect(facts['switched_accounts']).to.be.greaterThan(0);
    await scenario.must('rollback --yes');
    expect((await scenario.must('uninstall', 3)).stderr).to.include('confirmation_missing');
    expect(await schemas()).to.have.length(1);
  });

  it('refuses while native keys exist, and lists them', async () => {
    await scenario.must('migrate --yes');
    const [key] = await scenario.db.query<{ id: string }>(
      `insert into public.account_api_keys (account_id, name, token) values (1, 'native', 'a-native-token') returning id`,
    );
    await scenario.must('rollback --yes');
    const before = await catalog();
    const { facts } = await refused();
    expect(facts['native_keys']).to.deep.equal([`key ${key!.id} of account 1`]);
    expect(await catalog()).to.deep.equal(before);
    await scenario.db.query('delete from public.account_api_keys');
    await scenario.must('uninstall --yes');
    expect(await schemas()).to.deep.equal([]);
  });

  it('refuses while a key exists that the rollback could not give back, and says why', async () => {
    await scenario.db.query(
      'alter table public.api_keys add foreign key (api_id) references public.apis (id) on delete cascade',
    );
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
    await scenario.db.query(`delete from public.apis
      where id = (select origin_api_id from public.account_api_keys order by id limit 1)`);
    const { left } = (await scenario.must('rollback --yes --json', 6)).json<{ left: { key_id: string }[] }>();
    expect(left).to.have.length.above(0);
    const { message, facts } = await refused();
    expect(message).to.include(`${String(left.length)} account key`);
    const kept = (facts['keys_that_the_rollback_left'] as string[]).map(
      (line) => /^key (\d+) of .*: missing_api$/.exec(line)?.[1],
    );
    expect(kept).to.deep.equal(left.map(({ key_id }) => key_id).slice(0, 100));
    expect(await schemas()).to.have.length(1);
  });

  const OF_OTHERS: Record<string, readonly [create: string, drop: string, listed: RegExp]> = {
    'a view over the resolver': [
      'create view public.mine as select * from keylift.authorize(null, 1)',
      'drop view public.mine',
      /view .*mine/,
    ],
    'a view over the new table': [
      'create view public.mine as select id from public.account_api_keys',
      'drop view public.mine',
      /view .*mine/,
    ],
    'a foreign key to the new table': [
      `create unique index mine on public.account_api_keys (id);
       create table public.mine_too (k bigint references public.account_api_keys (id))`,
      'drop table public.mine_too; drop index public.mine',
      /constraint mine_too_k_fkey/,
    ],
    'a function whose text calls the resolver': [
      `create function public.mine() returns bigint language plpgsql as 'begin return (select key_id from keylift.authorize(null, 1)); end'`,
      'drop function public.mine()',
      /function .*mine\(\), whose text names keylift/,
    ],
    'a trigger on the new table': [
      `create function public.mine() returns trigger language plpgsql as 'begin return new; end';
       create trigger mine before insert on public.account_api_keys for each row execute function public.mine()`,
      'drop function public.mine() cascade',
      /trigger mine on/,
    ],
    'a table in schema keylift': [
      'create table keylift.mine (a int)',
      'drop table keylift.mine',
      /table keylift\.mine/,
    ],
    'a function in schema keylift': [
      `create function keylift.mine() returns int language sql return 1`,
      'drop function keylift.mine()',
      /function keylift\.mine\(\)/,
    ],
    'a publication of the new table': [
      'create publication mine for table public.account_api_keys',
      'drop publication mine',
      /publication mine/,
    ],
  };
  for (const [what, [create, drop, listed]] of Object.entries(OF_OTHERS)) {
    it(`refuses while there is ${what}, and lists it`, async () => {
      await scenario.must('migrate --yes --until backfill');
      await scenario.must('rollback --yes');
      await scenario.db.query(create);
      const before = await catalog();
      const { dependents } = (await refused()).facts as { dependents: string[] };
      expect(dependents).to.have.length(1);
      expect(dependents[0]).to.match(listed);
      expect(await catalog()).to.deep.equal(before);
      await scenario.db.query(drop);
      await scenario.must('uninstall --yes');
    });
  }

  it('after a purge keeps the account keys, and draws ids that never collide with the legacy ones', async () => {
    const before = await catalog();
    await scenario.must('migrate --yes');
    await scenario.must('finalize --yes');
    await scenario.must('finalize --purge --yes');
    const role = `${scenario.db.name}_settings`;
    await scenario.db.query(`create role ${role}; grant insert, select on public.account_api_keys to ${role}`);
    try {
      const keys = 'select * from public.account_api_keys order by id';
      const [kept, legacy] = [await scenario.db.query(keys), await scenario.legacyDigest()];
      expect((await scenario.must('uninstall --yes --json')).json()).to.deep.equal({
        uninstalled: true,
        account_keys: 'kept',
        kept_keys: kept.length,
      });
      expect(await schemas()).to.deep.equal([]);
      expect(await scenario.db.query(keys)).to.deep.equal(kept);
      expect(await scenario.legacyDigest()).to.equal(legacy);
      const left = (await catalog()).filter((line) => !before.includes(line) && !line.includes('account_api_keys'));
      expect(left.filter((line) => !/^class \S*api_keys_id_seq S /.test(line))).to.deep.equal([]);
      const constraints = `select contype from pg_constraint
        where conrelid = 'public.account_api_keys'::regclass and contype in ('p', 'c', 'f') order by 1`;
      expect((await scenario.db.query(constraints)).map(({ contype }) => contype as string).join('')).to.equal('ccfp');
      await scenario.db.query(`
        begin; set local role ${role};
        insert into public.account_api_keys (account_id, name, token) values (1, 'after', 'a-token-after');
        commit;
        insert into public.api_keys (account_id, api_id, token, created_at) values (1, 1, 'a-legacy-token', now())`);
      const same = 'select from public.account_api_keys join public.api_keys using (id)';
      expect(await scenario.db.query(same)).to.deep.equal([]);
    } finally {
      await scenario.db.query(`drop owned by ${role}; drop role ${role}`);
    }
  });
});
