/** A command line, and how it may end; without a number, with 0. `out` is where files go. */
export type Step = readonly [line: string, ...exits: number[]];

/**
 * Through every command and back, everything asked for that a command can tell. Keys of `MOTLEY` are exceptions, hence
 * 6.
 */
export const WAY: readonly Step[] = [
  ['init --config out/keylift.config.json'],
  ['completion bash'],
  ['check'],
  ['plan --json --show-sql --notice out/customers.csv --holds holds.csv', 6],
  ['plan --keys out/keys.csv --dormant out/dormant.csv --out out/plan.json --holds holds.csv', 6],
  ['plan --rehearse', 6],
  ['plan --holds tokens.csv', 2],
  ['explain 20'],
  ['explain sécret+1', 2],
  ['explain sécret+1 --json', 2],
  ['verify --replay decisions.ndjson --probe probe.json', 4],
  ['snapshot export out/sample --accounts 3'],
  ['snapshot check out/sample --junit out/results.xml'],
  ['snapshot update out/sample'],
  ['demo --json'],
  ['migrate --until backfill --yes --holds holds.csv --plan out/plan.json', 6],
  ['tune --concurrency 1'],
  ['pause'],
  ['status'],
  ['resume'],
  ['migrate --until verify --yes --json --metrics-file out/keylift.prom', 6],
  ['verify --json'],
  ['switch --accounts tokens.csv --yes', 2],
  ['switch --accounts accounts.csv --yes'],
  ['repair --yes'],
  ['switch --cohort 50% --yes'],
  ['verify --replay decisions.ndjson --probe probe.json --json', 4],
  ['explain 60 --json'],
  ['report out/page.html'],
  ['rollback --accounts accounts.csv --yes'],
  ['rollback --yes --json'],
  ['rollback --yes'],
  ['migrate --yes', 6],
  ['status --json'],
  ['finalize --yes'],
  ['explain 20 --json'],
  ['snapshot export out/later --accounts 3'],
  ['rollback --yes'],
  ['history'],
  ['history --json'],
  ['uninstall --yes --json'],
  ['migrate --yes', 6],
  ['finalize --yes'],
  ['report out/page.html --json'],
  ['finalize --purge --yes'],
  ['verify --replay decisions.ndjson', 4],
];

/** A row that the database refuses, telling it with all its values, in the last of these lines. */
export interface Fault {
  what: string;
  /** Run before the last line. */
  sql?: string;
  config?: object;
  lines: readonly Step[];
}

const AFTER_EXPAND: Step = ['migrate --until expand --yes'];

export const FAULTS: readonly Fault[] = [
  {
    what: 'a date that cannot be read',
    lines: [['plan', 1, 2]],
    config: { legacy: { keys: { createdAt: { sql: 'k.token::timestamptz' } } } },
  },
  {
    what: 'a token that is no uuid',
    lines: [['migrate --yes', 1, 2, 5, 6]],
    config: { legacy: { keys: { token: { sql: 'k.token::uuid::text' } } } },
  },
  {
    what: 'a check of the new table',
    lines: [AFTER_EXPAND, ['migrate --yes', 1, 3, 5]],
    sql: `alter table public.account_api_keys add constraint not_seven check (name <> 'key 6')`,
  },
  {
    what: 'a column that must not be null',
    lines: [AFTER_EXPAND, ['migrate --yes', 1, 3, 5]],
    sql: 'alter table public.account_api_keys alter column name set not null',
  },
  {
    what: 'a unique index that somebody added',
    lines: [AFTER_EXPAND, ['migrate --yes', 1, 3, 5]],
    sql: 'create unique index one_beginning on public.account_api_keys (left(token, 7))',
  },
  {
    what: 'a trigger that quotes the row',
    lines: [AFTER_EXPAND, ['migrate --yes', 1, 3, 5]],
    sql: `create function public.no_seven() returns trigger language plpgsql as $$
      begin raise exception 'I do not want "%" or %', new.token, new.token; end $$;
      create trigger no_seven before insert on public.account_api_keys for each row when (new.id = 6)
        execute function public.no_seven()`,
  },
  {
    what: 'a token twice when its index is built',
    lines: [
      ['migrate --until backfill --yes', 6],
      ['migrate --yes', 0, 6],
    ],
    sql: `set session_replication_role = replica;
      insert into public.account_api_keys (id, account_id, name, token, origin_api_id, created_at)
        select 900, account_id, name, token, origin_api_id, created_at from public.account_api_keys where id = 6;
      reset session_replication_role`,
  },
];
