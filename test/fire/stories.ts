import os from 'node:os';
import type { HeldIds, Switched } from '../support/rules.js';
import { MOTLEY_HOLDS } from '../support/motley.js';

/** Stations that a story can begin at, and the command that leads there from the one before. */
export const BASES = {
  seeded: null,
  expanded: ['seeded', 'migrate --yes --until expand --holds HOLDS'],
  backfilled: ['expanded', 'migrate --yes --until backfill'],
  hardened: ['backfilled', 'migrate --yes --until harden'],
  verified: ['hardened', 'migrate --yes --until verify'],
  switched: ['verified', 'migrate --yes'],
  finalized: ['switched', 'finalize --yes'],
  purged: ['finalized', 'finalize --purge --yes'],
} as const satisfies Record<string, readonly [string, string] | null>;

export type Base = keyof typeof BASES;

/** One command that is broken off, and how it is gone on with. */
export interface Story {
  base: Base;
  /** What happened in the database before the command. */
  prepare?: string;
  line: string;
  /** Commands that end what was begun; by default the same command. */
  goOn?: readonly string[];
  /** Who is answered from Settings when it is ended, and who is held. */
  switched: Switched;
  held?: HeldIds;
}

/** A run that holds the lead, and whose process is gone. */
const DEAD_RUN = `
  with dead as (insert into keylift.runs (command, host, pid, version, lease_until)
    values ('migrate', '${os.hostname()}', 2147483647, '0', clock_timestamp() + interval '1 hour') returning run_id)
  update keylift.control set owner = dead.run_id, owned_until = clock_timestamp() + interval '1 hour' from dead`;

/**
 * The batch of key 7 is cut off twice, as by its statement_timeout. The platform leaves the key alone: the mirror would
 * bring it.
 */
const HICCUPS = `
  insert into public.untouched values (7);
  create sequence public.test_hiccups;
  create function public.test_hiccup() returns trigger language plpgsql as $$ begin
    if nextval('public.test_hiccups') <= 2 then raise exception 'cut off' using errcode = 'query_canceled'; end if;
    return new; end $$;
  create trigger test_hiccup before insert on public.account_api_keys for each row when (new.id = 7)
    execute function public.test_hiccup()`;

/** Two sessions inserted one token at one moment, and saw nothing of each other: each got its account key. */
const TWINS_MET = `
  begin;
  select set_config('keylift.writer', keylift.own_write('stage', 1), true);
  insert into public.api_keys (id, account_id, api_id, name, token, created_at) select 900, account_id, 2, 'met',
    token, '2022-01-01' from public.api_keys where id = 1;
  insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
    select id, account_id, name, token, api_id, created_at from public.api_keys where id = 900;
  insert into public.expected_keys select * from public.api_keys where id = 900;
  insert into public.expected_twins values (1), (900);
  insert into public.untouched values (1), (900);
  commit`;

/** A key was moved, and then its account went. */
const ACCOUNT_GONE = `
  insert into public.accounts (id, kind, name) values (6, 'user', 'gone soon');
  insert into public.api_keys (id, account_id, api_id, name, token, created_at)
    values (901, 6, 1, 'orphan', 'sécret+orphan', '2022-01-01');
  insert into public.expected_keys select * from public.api_keys where id = 901;
  insert into public.untouched values (901);
  delete from public.accounts where id = 6`;

/**
 * Two keys were used since they were copied, each where the other table does not know it: there is last use to catch
 * up, whatever the platform does to the other keys meanwhile.
 */
const USED_SINCE = `
  insert into public.untouched values (8), (9);
  update public.api_keys set last_used_at = '2024-01-01' where id = 8;
  update public.account_api_keys set last_used_at = '2024-01-02' where id = 9;
  update public.expected_keys set last_used_at = case id when 8 then timestamptz '2024-01-01' else '2024-01-02' end
    where id in (8, 9)`;

/** A function of the mirror was replaced, and one account key was changed past the mirror. */
const OUT_OF_LINE = `
  do $$ begin execute replace(pg_get_functiondef('keylift.settle'::regproc), '<<own>>', '-- replaced
<<own>>'); end $$;
  insert into public.untouched values (7);
  begin;
  select set_config('keylift.writer', keylift.own_write('stage', 1), true);
  update public.account_api_keys set name = 'changed past the mirror' where id = 7;
  commit`;

/** The legacy table gets a column as soon as its archive exists. */
const COLUMN_ADDED = `
  create function public.test_add_column() returns event_trigger language plpgsql as $$ begin
    if to_regclass('keylift.archived_keys') is null or exists (select from pg_attribute
      where attrelid = 'public.api_keys'::regclass and attname = 'added') then return; end if;
    alter table public.api_keys add column added text default 'yes';
    alter table public.expected_keys add column added text default 'yes';
  end $$;
  create event trigger test_add_column on ddl_command_end when tag in ('CREATE TABLE')
    execute function public.test_add_column()`;

/** More entries than the step with the lock applies. */
const LONG_LOG = `
  insert into keylift.change_log (key_id) select id from public.api_keys cross join generate_series(1, 50)`;

/** The platform's tables were restored from a copy that was made before the migration. The ledger stayed. */
const RESTORED = `
  drop table public.account_api_keys cascade;
  truncate public.expected_born;
  do $$ declare statement text; begin
    for statement in select format('drop trigger %I on public.api_keys', tgname) from pg_trigger
        where tgrelid = 'public.api_keys'::regclass and tgname like 'keylift%'
      union all select format('drop index %s', indexrelid::regclass) from pg_index
        where indrelid = 'public.api_keys'::regclass and indexrelid::regclass::text like '%keylift%'
    loop execute statement; end loop;
  end $$`;

const ACCOUNTS = ['1', '3'];
/** To the end, so that what a crash left in an early stage meets all the later ones. */
const ON = ['migrate --yes --batch-size 3 --holds HOLDS'];

/** All commands that write, each from where it has the most to do. ACCOUNTS and HOLDS stand for files. */
export const STORIES = {
  expand: { base: 'seeded', line: 'migrate --yes --until expand --holds HOLDS', goOn: ON, switched: 'all' },
  backfill: { base: 'expanded', line: 'migrate --yes --until backfill --batch-size 3', goOn: ON, switched: 'all' },
  'backfill that times lookups': {
    base: 'expanded',
    line: 'migrate --yes --until backfill --max-latency 60s',
    goOn: ON,
    switched: 'all',
  },
  harden: { base: 'backfilled', line: 'migrate --yes --until harden', goOn: ON, switched: 'all' },
  verify: { base: 'hardened', prepare: USED_SINCE, line: 'migrate --yes --until verify', goOn: ON, switched: 'all' },
  'backfill after a run that died': {
    base: 'expanded',
    prepare: DEAD_RUN,
    line: 'migrate --yes --until backfill',
    goOn: ON,
    switched: 'all',
  },
  'backfill with batches cut off': {
    base: 'expanded',
    prepare: HICCUPS,
    line: 'migrate --yes --until backfill --batch-size 3',
    goOn: ON,
    switched: 'all',
  },
  'harden after twins met': {
    base: 'backfilled',
    prepare: TWINS_MET,
    line: 'migrate --yes --until harden',
    goOn: ON,
    switched: 'all',
  },
  'harden after an account went': {
    base: 'backfilled',
    prepare: ACCOUNT_GONE,
    line: 'migrate --yes --until harden',
    goOn: ON,
    switched: 'all',
  },
  'harden after a busy backfill': {
    base: 'backfilled',
    prepare: LONG_LOG,
    line: 'migrate --yes --until harden',
    goOn: ON,
    switched: 'all',
  },
  switch: { base: 'verified', prepare: USED_SINCE, line: 'migrate --yes', switched: 'all' },
  'migrate again': { base: 'switched', prepare: USED_SINCE, line: 'migrate --yes --holds HOLDS', switched: 'all' },
  'switch some': { base: 'verified', line: 'switch --accounts ACCOUNTS --yes', switched: new Set(ACCOUNTS) },
  'switch back': { base: 'switched', line: 'switch --back --yes', switched: 'none' },
  'a proof': { base: 'switched', prepare: USED_SINCE, line: 'verify', switched: 'all' },
  steering: {
    base: 'backfilled',
    line: 'tune --concurrency 1',
    goOn: ['tune --concurrency 1', ...ON],
    switched: 'all',
  },
  finalize: { base: 'switched', prepare: USED_SINCE, line: 'finalize --yes', switched: 'all' },
  'finalize a table that gets a column': {
    base: 'switched',
    prepare: COLUMN_ADDED,
    line: 'finalize --yes',
    switched: 'all',
  },
  repair: { base: 'switched', prepare: OUT_OF_LINE, line: 'repair --yes', switched: 'all' },
  purge: { base: 'finalized', line: 'finalize --purge --yes', switched: 'all' },
  uninstall: { base: 'purged', line: 'uninstall --yes', switched: 'all' },
  rollback: { base: 'switched', line: 'rollback --yes', goOn: ['rollback --yes', ...ON], switched: 'all' },
  'rollback from expand': {
    base: 'expanded',
    line: 'rollback --yes',
    goOn: ['rollback --yes', ...ON],
    switched: 'all',
  },
  'rollback from the archive': {
    base: 'finalized',
    line: 'rollback --yes',
    goOn: ['rollback --yes', ...ON],
    switched: 'all',
  },
  'rollback after a restore': {
    base: 'switched',
    prepare: RESTORED,
    line: 'rollback --yes',
    goOn: ['rollback --yes', ...ON],
    switched: 'all',
  },
  'rollback of some': {
    base: 'switched',
    line: 'rollback --accounts ACCOUNTS --yes',
    switched: 'all',
    held: { keyIds: MOTLEY_HOLDS.keyIds, accountIds: [...MOTLEY_HOLDS.accountIds, ...ACCOUNTS] },
  },
} satisfies Record<string, Story>;

export type StoryName = keyof typeof STORIES;

export const STORY_NAMES = Object.keys(STORIES) as StoryName[];

export const ACCOUNTS_CSV = `account_id\n${ACCOUNTS.join('\n')}\n`;
