import { expect } from 'chai';
import type { TestDatabase } from './database.js';

/** Each is a question whose every row is a fault. Plain SQL over the default tables, written from the contract. */
const FAULTS: Record<string, string> = {
  'a source row is accounted for once': `
    select k.id from public.api_keys k
      left join public.apis a on a.id = k.api_id
      left join public.account_api_keys t on t.id = k.id and t.origin_api_id is not null
      left join keylift.outcomes x on x.key_id = k.id
    where (t.id is not null)::int + (x.key_id is not null)::int + (a.kind = 'custom' and a.id is not null)::int <> 1`,
  'an account key equals its source': `
    select t.id from public.account_api_keys t join public.api_keys k on k.id = t.id
    where t.origin_api_id is not null and not (
      t.account_id is not distinct from k.account_id and t.name is not distinct from k.name and t.token is not distinct
        from k.token
      and t.created_at is not distinct from k.created_at and t.revoked_at is not distinct from k.revoked_at
      and t.expires_at is not distinct from k.expires_at and t.origin_api_id is not distinct
        from k.api_id and t.scope = 'store_apis')`,
  'an account key comes from somewhere': `
    select t.id from public.account_api_keys t
    where t.origin_api_id is not null and not exists (select from public.api_keys k where k.id = t.id)`,
  'no key of a custom API is an account key': `
    select t.id from public.account_api_keys t join public.apis a on a.id = t.origin_api_id where a.kind = 'custom'`,
  'an account key was used when the latest of its rows was': `
    select t.id from public.account_api_keys t join (
      select coalesce(x.account_key_id, k.id) as id, max(k.last_used_at) as last_used_at
      from public.api_keys k left join keylift.outcomes x on x.key_id = k.id and x.outcome = 'merge'
        group by 1) rows on rows.id = t.id
    where t.origin_api_id is not null and t.last_used_at is distinct from rows.last_used_at`,
  'a merged key has its account key, of one token and account, and is remembered whole': `
    select x.key_id from keylift.outcomes x join public.api_keys k on k.id = x.key_id
      left join public.account_api_keys t on t.id = x.account_key_id
    where x.outcome = 'merge' and not coalesce(t.token = k.token and t.account_id = k.account_id
      and x.source::jsonb = to_jsonb(k), false)`,
  'a token is on one account key': 'select min(id) from public.account_api_keys group by token having count(*) > 1',
  'no id is in both tables but a moved one': `
    select t.id from public.account_api_keys t join public.api_keys k on k.id = t.id where t.origin_api_id is null`,
  'no batch is left open once keys are moved': `
    select batch_no from keylift.batches where open and (select stage from keylift.migration) is distinct
      from 'expand'`,
};

export interface InvariantsOptions {
  /** Where the rows of the legacy table are, as they should be: a table of the same columns. */
  keys?: string;
  /** What cannot hold any more, by its name. */
  except?: readonly string[];
}

/** What holds whenever a backfill is done and no rollback was begun. */
export async function assertInvariants(
  db: TestDatabase,
  { keys = 'public.api_keys', except = [] }: InvariantsOptions = {},
): Promise<void> {
  const faults: Record<string, string[]> = {};
  for (const [name, question] of Object.entries(FAULTS).filter(([name]) => !except.includes(name))) {
    const rows = await db.query(question.replaceAll('public.api_keys', keys));
    if (rows.length > 0) faults[name] = rows.map((row) => String(Object.values(row)[0]));
  }
  expect(faults).to.deep.equal({});
}

/** Rule: no token in any ledger column, except where whole rows are kept. */
export async function assertLedgerKeepsNoToken(db: TestDatabase): Promise<void> {
  const tables = await db.query<{ name: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'keylift' and c.relkind = 'r'`);
  for (const { name } of tables) {
    // Of a merged key the whole row is kept, on purpose.
    const text = name === 'keylift.outcomes' ? `(to_jsonb(x) - 'source')::text` : 'x::text';
    const rows = await db.query(
      `select ${text} as row from ${name} x
       where exists (select from public.api_keys k where length(k.token) > 5 and strpos(${text}, k.token) > 0) limit 1`,
    );
    expect(rows, name).to.deep.equal([]);
  }
}
