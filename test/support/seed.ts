import type { TestDatabase } from './database.js';

/** One per-API key as a test writes it: accounts by name, APIs by slug, dates as PostgreSQL reads them. */
export interface KeySeed {
  id?: number | string;
  /** An account of the seed; any other name is an account that does not exist. */
  account: string | null;
  /** An API of the seed; any other slug is an API that does not exist. */
  api: string | null;
  /** Default: one of its own. */
  token?: string | null;
  name?: string | null;
  /** Default: a day in 2021 that grows with the id. */
  created?: string | null;
  used?: string | null;
  revoked?: string | null;
  expires?: string | null;
}

export interface Seed {
  /** Ids 1, 2, … in this order. */
  accounts: readonly string[];
  /** Ids 1, 2, … in this order; a custom API is written with its owner: `custom of acme`. */
  apis: Record<string, 'store' | `custom of ${string}`>;
  keys: readonly KeySeed[];
}

/** What does not exist has an id all the same: a key points nowhere by pointing at it. */
const NOWHERE = 999_999;

/** Every token of a seed begins with this, so that no word of an output is one by chance. */
export const TOKEN_MARK = 'sécret+';

export const tokenOf = (word: string | number): string => `${TOKEN_MARK}${String(word)}`;

/** Fills the legacy tables with one statement each. */
export async function plant(db: TestDatabase, { accounts, apis, keys }: Seed): Promise<void> {
  const accountId = (name: string | null): number | null =>
    name === null ? null : accounts.indexOf(name) + 1 || NOWHERE;
  const slugs = Object.keys(apis);
  const apiId = (slug: string | null): number | null => (slug === null ? null : slugs.indexOf(slug) + 1 || NOWHERE);
  await db.query(
    `insert into public.accounts (id, kind, name) select n, 'organization', name
      from unnest($1::text[]) with ordinality as given (name, n)`,
    [accounts],
  );
  await db.query(
    `insert into public.apis (id, owner_account_id, slug, name, kind)
     select * from json_to_recordset($1) as given (id bigint, owner_account_id bigint, slug text, name text,
       kind text)`,
    [
      JSON.stringify(
        Object.entries(apis).map(([slug, kind], at) => ({
          id: at + 1,
          slug,
          name: slug,
          kind: kind.split(' ')[0],
          owner_account_id: kind === 'store' ? null : accountId(kind.slice('custom of '.length)),
        })),
      ),
    ],
  );
  await db.query(
    `insert into public.api_keys
     select * from json_to_recordset($1) as given (id bigint, account_id bigint, api_id bigint, name text, token text,
       created_at timestamptz, last_used_at timestamptz, revoked_at timestamptz, expires_at timestamptz)`,
    [JSON.stringify(keys.map((key, at) => row(key, at, { accountId, apiId })))],
  );
  await restartSequences(db);
}

function row(
  key: KeySeed,
  at: number,
  ids: { accountId: (name: string | null) => number | null; apiId: (slug: string | null) => number | null },
): Record<string, unknown> {
  const id = key.id ?? at + 1;
  const created = new Date(Date.UTC(2021, 0, 1) + at * 86_400_000)
    .toISOString()
    .replace('.000Z', `.${String(123456 + at)}+00`);
  return {
    id: String(id),
    account_id: ids.accountId(key.account),
    api_id: ids.apiId(key.api),
    name: key.name === undefined ? `key ${String(id)}` : key.name,
    token: key.token === undefined ? tokenOf(id) : key.token,
    created_at: key.created === undefined ? created : key.created,
    last_used_at: key.used ?? null,
    revoked_at: key.revoked ?? null,
    expires_at: key.expires ?? null,
  };
}

/**
 * Many plain keys, made inside PostgreSQL: five to an account, every tenth of a custom API, every seventh dead; ids
 * with gaps. The store has three APIs, 1 to 3; API 4 is custom.
 */
export async function plantMany(db: TestDatabase, { keys }: { keys: number }): Promise<void> {
  await db.query(`
    insert into public.accounts (id, kind, name) select n, 'user', 'account ' || n
      from generate_series(1, ${String(Math.ceil(keys / 5))}) n;
    insert into public.apis (id, owner_account_id, slug, name, kind)
      select n, case when n = 4 then 1 end, 'api-' || n, 'API ' || n, case when n = 4 then 'custom' else 'store' end
        from generate_series(1, 4) n;
    insert into public.api_keys (id, account_id, api_id, name, token, created_at, last_used_at, revoked_at)
      select n * 3, (n - 1) / 5 + 1, case when n % 10 = 0 then 4 else n % 3 + 1
        end, 'key ' || n, '${TOKEN_MARK}' || md5(n::text),
        timestamptz '2020-01-01 00:00:00.000001+00' + n * interval '61.000007 s',
        case when n % 4 > 0 then timestamptz '2024-01-01+00' + n * interval '1 s' end,
        case when n % 7 = 0 then timestamptz '2023-01-01+00' end
      from generate_series(1, ${String(keys)}) n;
    analyze public.api_keys, public.accounts, public.apis`);
  await restartSequences(db);
}

async function restartSequences(db: TestDatabase): Promise<void> {
  for (const table of ['accounts', 'apis', 'api_keys']) {
    await db.query(
      `select setval(pg_get_serial_sequence('public.${table}', 'id'), coalesce(max(id), 0) + 1, false)
        from public.${table}`,
    );
  }
}
