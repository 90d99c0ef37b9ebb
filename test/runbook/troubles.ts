import type { Town } from './town.js';

/** Brings a trouble about; what it answers with ends what outlives the copy: a timer, say. */
export type Trouble = (town: Town) => Promise<(() => Promise<void>) | undefined>;

const sql =
  (statements: string): Trouble =>
  async (town) => {
    await town.ask(statements);
    return undefined;
  };

/** A migration up to here, then SQL. */
const migrated =
  (until: string, statements: string): Trouble =>
  async (town) => {
    await town.keylift(`migrate --until ${until}`);
    await town.ask(statements);
    return undefined;
  };

/** Somebody else's run, alive: it renews its lease until it is told to end. */
const atWork: Trouble = async (town) => {
  await town.keylift('migrate --until expand');
  await town.ask(`
    with run as (insert into keylift.runs (command, host, pid, version, lease_until)
      values ('migrate', 'another-machine', 4711, '0.1.0', clock_timestamp() + interval '1 h') returning run_id)
    update keylift.control set owner = run.run_id, owned_until = clock_timestamp() + interval '1 h' from run`);
  const heart = await town.connect();
  const beat = setInterval(() => {
    void heart.query('update keylift.runs set heartbeat_at = clock_timestamp() where pid = 4711');
  }, 50);
  return async () => {
    clearInterval(beat);
    await heart.end();
  };
};

/** A rollback that the server ends half way. */
const brokenOff: Trouble = async (town) => {
  await town.keylift('migrate');
  await town.ask(`create function public.test_fail() returns trigger language plpgsql as $$
    begin raise exception 'the server fails here'; end $$;
    create trigger aa_fail before delete on public.account_api_keys for each row when (old.id = 70000)
      execute function public.test_fail()`);
  await town.keylift('rollback');
  await town.ask('drop function public.test_fail() cascade');
  return undefined;
};

const TAKES_TOO_LONG = `
  create function public.takes_too_long() returns trigger language plpgsql as $$
    begin raise exception 'canceling statement due to statement timeout' using errcode = 'query_canceled'; end $$;
  create trigger takes_too_long before insert on public.account_api_keys for each row when (new.id = 50)
    execute function public.takes_too_long()`;

/** What a block of the runbook finds when it begins, by the words of its mark. */
export const TROUBLES: Record<string, Trouble> = {
  'the operator lacks a right': sql('revoke references on public.accounts from keylift_operator'),
  'the keys are a view': sql(
    `alter table public.api_keys rename to real_keys; create view public.api_keys as select * from public.real_keys;
      alter view public.api_keys owner to shop_owner`,
  ),
  'ids are not unique': sql('alter table public.api_keys drop constraint api_keys_pkey'),
  'rows are hidden': sql('alter table public.accounts enable row level security'),
  'row-level security separates the keys of accounts': sql(`alter table public.api_keys enable row level security;
    create policy own_keys on public.api_keys using (account_id::text = current_setting('app.account', true));
    create policy platform on public.api_keys to shop_platform using (true)`),
  'a trigger of keylift is there':
    sql(`create function public.nothing() returns trigger language plpgsql as $$ begin return new; end $$;
    create trigger keylift_old before insert on public.api_keys for each row execute function public.nothing()`),
  "the new table's name is taken": sql(
    'create table public.account_api_keys (id int); alter table public.account_api_keys owner to shop_owner',
  ),
  'an index is invalid': sql(
    `update pg_index set indisvalid = false where indexrelid = 'public.api_keys_token'::regclass`,
  ),
  'a later version has worked': migrated('expand', `update keylift.runs set version = '99.0.0'`),
  'APIs are projects of organizations': sql(
    `delete from public.api_keys; delete from public.apis;
      insert into public.apis (id, owner_account_id, slug, name, kind)
        select n, a.id, 'project-' || n, 'Project ' || n, 'store'
        from generate_series(1, 40) n
          join (select id, row_number() over (order by id) as turn from public.accounts) a on a.turn = n % 4 + 1;
      insert into public.api_keys (id, account_id, api_id, name, token, created_at)
        select id, owner_account_id, id, 'key of ' || slug, md5(slug), now() from public.apis`,
  ),
  'a rule is on the key table': sql(
    `create table public.deleted_keys (id bigint); create rule log_deletes as on delete to public.api_keys do also insert into public.deleted_keys values (old.id)`,
  ),
  'deleted keys are denied': sql(`create table public.denied_tokens (token text);
    create function public.deny() returns trigger language plpgsql as $$ begin insert into public.denied_tokens values (old.token); return null; end $$;
    create trigger deny after delete on public.api_keys for each row execute function public.deny()`),
  'rows reference keys over two columns': sql(`
    alter table public.api_keys add unique (id, account_id);
    create table public.key_usage (key_id bigint, account_id bigint, constraint key_usage_key foreign key (key_id, account_id) references public.api_keys (id, account_id));
    insert into public.key_usage values (50, (select account_id from public.api_keys where id = 50)); alter table public.key_usage owner to shop_owner`),
  'published rows cannot be told apart': sql(`
    alter table public.api_keys drop constraint api_keys_pkey; create unique index api_keys_id on public.api_keys (id);
    create publication changes for table public.api_keys`),
  'a writer fires no triggers': async (town) => {
    await town.ask(
      `create role shop_loader; grant insert on public.api_keys to shop_loader; alter role shop_loader set session_replication_role = replica`,
    );
    return async () => {
      await town.ask('drop owned by shop_loader; drop role shop_loader');
    };
  },
  'the column of the tokens has another name': sql('alter table public.api_keys rename column token to secret'),
  'nobody may make temporary tables': sql('revoke temporary on database shop from public'),
  "somebody else's run is at work": atWork,
  'the mirror is off': migrated('verify', 'alter table public.api_keys disable trigger user'),
  'somebody wrote past the mirror': migrated(
    'harden',
    `set session_replication_role = replica; update public.api_keys set revoked_at = now() where id = 70000`,
  ),
  'a key in Settings outlived its account': migrated(
    'backfill',
    `insert into public.accounts (id, kind, name) values (999000, 'user', 'short-lived');
    insert into public.account_api_keys (account_id, name, token) values (999000, 'made in Settings',
      'outlived-its-account'); delete from public.accounts where id = 999000`,
  ),
  'one key takes too long': migrated('expand', TAKES_TOO_LONG),
  'a rollback broke off': brokenOff,
  'a table points at the keys':
    sql(`create table public.usage (key_id bigint references public.api_keys (id), calls int);
      alter table public.usage owner to shop_owner;
    insert into public.usage values (10, 5)`),
};
