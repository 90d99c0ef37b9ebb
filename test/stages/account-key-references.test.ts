import { expect } from 'chai';
import { MOTLEY } from '../support/motley.js';
import { Scenario } from '../support/scenario.js';

/** What a foreign key does when an account key is deleted, each its own way to lose a row or to refuse. */
const ACTIONS = ['on delete cascade', 'on delete set null', '', 'deferrable initially deferred'];

describe('rows of other tables that reference account keys', function () {
  this.timeout(60_000);
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.of(MOTLEY);
    await scenario.must('migrate --yes', 6);
  });
  afterEach(() => scenario.close());

  const reference = (action: string): Promise<unknown> =>
    scenario.db.query(`
      create table public.calls (key_id bigint constraint calls_key references public.account_api_keys ${action});
      insert into public.calls values (1), (6)`);
  const calls = async (): Promise<unknown> => scenario.db.query('select key_id::int from public.calls order by 1');
  const refused = async (line: string, keys: string): Promise<void> => {
    const before = [await scenario.legacyDigest(), await scenario.targetDigest(), await calls()];
    const { exitCode, stderr } = await scenario.run(line);
    expect([exitCode, stderr.includes('account_keys_referenced')], stderr).to.deep.equal([3, true]);
    expect(stderr)
      .to.include('public.calls: calls_key')
      .and.match(new RegExp(`keys:\\s+${keys}\\b`));
    expect([await scenario.legacyDigest(), await scenario.targetDigest(), await calls()]).to.deep.equal(before);
  };

  for (const action of ACTIONS) {
    it(`stay when a run would take an account key out for a hold, ${action || 'on delete no action'}`, async () => {
      await reference(action);
      await scenario.db.query('insert into keylift.holds (key_id) values (1), (2)');
      await refused('migrate --yes', '1');
      await scenario.db.query('delete from public.calls where key_id = 1');
      await scenario.must('migrate --yes', 6);
      expect(await calls()).to.deep.equal([{ key_id: 6 }]);
    });
  }

  it('stay when a hold names a duplicate whose account key they reference', async () => {
    await reference('on delete cascade');
    await scenario.db.query('delete from public.calls; insert into public.calls values (21)');
    await scenario.db.query('insert into keylift.holds (key_id) values (20)');
    await refused('migrate --yes', '21');
  });

  it('refuse new holds, which are then not stored', async () => {
    await reference('on delete cascade');
    const file = await scenario.file('holds.csv', 'account_id\n1\n');
    await refused(`migrate --yes --holds ${file}`, '1');
    expect(await scenario.db.query('select from keylift.holds')).to.deep.equal([]);
    const others = await scenario.file('others.csv', 'key_id\n2\n');
    await scenario.must(`migrate --yes --holds ${others}`, 6);
    expect(await calls()).to.have.length(2);
  });

  it('refuse a rollback of their accounts, also over two columns, and let the other accounts pass', async () => {
    await scenario.db.query(`
      alter table public.account_api_keys add unique (id, account_id);
      create table public.calls (key_id bigint, account_id bigint, constraint calls_key
        foreign key (key_id, account_id) references public.account_api_keys (id, account_id) on delete cascade);
      insert into public.calls select id, account_id from public.account_api_keys where id = 1`);
    await refused(`rollback --yes --accounts ${await scenario.file('acme.csv', 'account_id\n1\n')}`, '1');
    await scenario.must(`rollback --yes --accounts ${await scenario.file('bert.csv', 'account_id\n2\n')}`);
    expect(await calls()).to.have.length(1);
  });

  it('refuse a rollback of accounts where row-level security hides the rows', async () => {
    await reference('on delete cascade');
    const role = `keeper_of_${scenario.db.name}`;
    await scenario.db.query(`
      create role ${role} login password 'keeps-keys'; grant ${role} to current_user;
      grant create on database ${scenario.db.name} to ${role};
      grant usage, create on schema public to ${role};
      grant select, references on public.accounts, public.apis, public.calls to ${role};
      alter table public.calls enable row level security`);
    await scenario.db.query(OWNED_BY(role));
    try {
      const url = new URL(scenario.db.url);
      [url.username, url.password] = [role, 'keeps-keys'];
      const line = `rollback --yes --accounts ${await scenario.file('acme.csv', 'account_id\n1\n')}`;
      const { exitCode, stderr } = await scenario.run(line, { url: url.href });
      expect([exitCode, stderr.includes('#gate-hidden-references')], stderr).to.deep.equal([3, true]);
      expect(await calls()).to.have.length(2);
    } finally {
      await scenario.db.query(`reassign owned by ${role} to postgres; drop owned by ${role}; drop role ${role}`);
    }
  });
});

/** Makes a role the owner of the legacy table and of all that keylift installed. */
const OWNED_BY = (role: string): string => `
  alter table public.api_keys owner to ${role}; alter table public.account_api_keys owner to ${role};
  alter schema keylift owner to ${role};
  do $$ declare object record; begin
    for object in select c.oid::regclass as name from pg_class c
      where c.relnamespace = 'keylift'::regnamespace and c.relkind in ('r', 'v') loop
      execute format('alter table %s owner to ${role}', object.name);
    end loop;
    for object in select p.oid::regprocedure as name from pg_proc p where p.pronamespace = 'keylift'::regnamespace loop
      execute format('alter routine %s owner to ${role}', object.name);
    end loop;
    for object in select t.oid::regtype as name from pg_type t
      where t.typnamespace = 'keylift'::regnamespace and t.typtype = 'c' and
        exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c') loop
      execute format('alter type %s owner to ${role}', object.name);
    end loop;
  end $$`;
